//! The commands as a shell and a script see them: exit codes, and what is on which stream.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Where the codes are documented, in a table with this header.
const README: &str = include_str!("../../README.md");
const HEADER: &str = "| Exit code | Meaning |";

/// A command of xtask. The secret is given, so that none is made in the repository.
fn xtask(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(words).env("JWT_SECRET", "a secret of the tests, 32 bytes long").env_remove("DATABASE_URL");
    command.stdin(Stdio::null());
    command
}

fn output(words: &[&str]) -> Output {
    xtask(words).output().expect("xtask starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// The code with which a command ends whose database accepts a connection and says nothing, once it gets these signals.
fn interrupted_by(signals: &[Signal]) -> Option<i32> {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("postgres://u:p@{}/d", silent.local_addr().expect("an address"));
    let mut child = xtask(&["migrate", "--database-url", &url]).stderr(Stdio::null()).spawn().expect("xtask starts");
    // It has come as far as its work, and so listens to signals.
    let (connection, _) = silent.accept().expect("a connection");
    let send = |child: &Child, signal| kill(Pid::from_raw(child.id().cast_signed()), signal).expect("sent");
    send(&child, signals[0]);
    if let Some(again) = signals.get(1) {
        // The connection stays: that it is told a second time is what ends it. How soon it has seen the first is unknown.
        while child.try_wait().expect("a state").is_none() {
            send(&child, *again);
            std::thread::yield_now();
        }
    }
    drop(connection);
    drop(silent);
    child.wait().expect("an end").code()
}

#[test]
fn every_exit_code_is_the_documented_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing.env");
    let unsafe_settings = folder.path().join("unsafe.env");
    std::fs::write(&unsafe_settings, "jwt_secret=demo\n").expect("written");
    let check = |file: &Path| {
        output(&["deploy", "check", "--target", "one-machine", "--env", file.to_str().expect("text")]).status.code()
    };
    let mut seen = vec![
        (0, output(&["token", "--tenant", "t"]).status.code()),
        (0, output(&["--help"]).status.code()),
        (1, check(&missing)),
        (1, check(&unsafe_settings)),
        (2, output(&["tokn"]).status.code()),
        (2, output(&["token", "--tenent", "t"]).status.code()),
        (130, interrupted_by(&[Signal::SIGINT])),
        (130, interrupted_by(&[Signal::SIGTERM])),
        (130, interrupted_by(&[Signal::SIGINT, Signal::SIGINT])),
    ];
    for (expected, code) in &seen {
        assert_eq!(*code, Some(*expected), "{seen:?}");
    }
    seen.dedup_by_key(|(code, _)| *code);
    let shown: Vec<i32> = seen.into_iter().map(|(code, _)| code).collect();
    assert_eq!(documented(), shown, "each code of the table is shown here, and no other is used");
}

/// The codes of the table.
fn documented() -> Vec<i32> {
    let (_, table) = README.split_once(HEADER).expect("the table");
    let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().expect("a code").parse().expect("a number")).collect()
}

#[test]
fn a_report_is_one_json_document_alone_on_stdout() {
    let output = output(&["token", "--tenant", "t", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(report["tenant"], "t");
}

/// A report of something wrong is a report, and the command fails.
#[test]
fn what_is_wrong_is_reported_on_stdout_and_the_error_goes_to_stderr() {
    let folder = tempfile::tempdir().expect("a folder");
    let backup = folder.path().join("redis-2026.rdb");
    std::fs::write(&backup, "").expect("written");
    let output = output(&["redis", "verify", backup.to_str().expect("text"), "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(report["backups"][0]["good"], false);
    let told = text(&output.stderr);
    assert!(told.contains("==> verifying") && told.contains("error: 1 of 1 backups cannot be restored"), "{told}");
    assert_eq!(output.status.code(), Some(1));
}

/// What cannot be looked at has no report: a script sees the difference.
#[test]
fn what_could_not_be_done_leaves_stdout_empty() {
    let empty = tempfile::tempdir().expect("a folder");
    let output = output(&["redis", "verify", empty.path().to_str().expect("text"), "--json"]);
    assert_eq!((text(&output.stdout), output.status.code()), ("", Some(1)), "{}", text(&output.stderr));
}

#[test]
fn what_other_programs_print_goes_to_stderr_and_the_report_stays_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let cargo = folder.path().join("cargo");
    std::fs::write(&cargo, "#!/bin/sh\necho noise\nexit 1\n").expect("written");
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).expect("set");
    let run = |words: &[&str]| xtask(words).env("CARGO", &cargo).output().expect("xtask starts");
    let output = run(&["test", "--quick", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!((&report["passed"], &report["steps"][1]["name"]), (&false.into(), &"formatting".into()));
    assert!(text(&output.stderr).contains("noise\n"), "{}", text(&output.stderr));
    let output = run(&["test", "--quick"]);
    assert!(text(&output.stdout).starts_with("noise\n"), "a person's terminal shows both");
    assert_eq!(output.status.code(), Some(1));
}
