//! Hosts: started, found where they say, told their variables in secret, and ended with all that they started.
//!
//! A script plays the part of `spin`, so that nothing has to be compiled for these.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use stack::{Host, HostOptions, Runtime};

/// Serves with a Redis, as anything that listens will do, and leaves a grandchild for us to find.
const SERVES: &str = r#"
while [ $# -gt 0 ]; do case "$1" in --state-dir) state="$2"; shift;; --listen) port="${2##*:}"; shift;; esac; shift; done
env > "$state/env"
tr '\0' ' ' < /proc/$$/cmdline > "$state/cmdline"
sleep 1000 & echo $! > "$state/grandchild"
echo "some noise on stderr" >&2
redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$state" > "$state/log" & server=$!
sleep 0.2
echo "Serving http://127.0.0.1:$port"
trap 'kill $server; exit 0' TERM
wait $server
exit 3
"#;

const FAILS: &str = "echo 'component ops is not built' >&2; exit 7";

/// What is run once more, in a process whose PATH has the script: a test must not change its own environment.
const SCENARIO: &str = "STACK_TEST_SCENARIO";

fn run_with_spin(version: &str, script: &str, scenario: &str) {
    let dir = tempfile::tempdir().expect("a folder");
    let spin = dir.path().join("spin");
    let version = format!("[ \"$1\" = --version ] && {{ echo 'spin {version} (abcdef 2026-01-01)'; exit; }}");
    std::fs::write(&spin, format!("#!/bin/sh\n{version}\n{script}")).expect("written");
    std::fs::set_permissions(&spin, std::fs::Permissions::from_mode(0o755)).expect("runnable");
    let path = std::env::var("PATH").expect("PATH");
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "--nocapture", "scenario"])
        .env("PATH", format!("{}:{path}", dir.path().display()))
        .env("SPIN_VARIABLE_STRAY", "from outside")
        .env(SCENARIO, scenario)
        .output()
        .expect("run");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "the scenario did not run: {said}");
}

fn options(dir: &Path) -> HostOptions {
    // Free a moment ago; the servers' tests show how a clash is met, here it would only fail the test.
    let listen = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    HostOptions {
        runtime: Runtime::Spin,
        listen: listen.to_string(),
        state_dir: dir.join("state"),
        variables: BTreeMap::from([("jwt_secret".to_owned(), "hush".to_owned())]),
        log: Some(dir.join("host.log")),
        authorities: None,
        environment: BTreeMap::new(),
    }
}

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join("state").join(name)).expect(name)
}

/// Gone, or a zombie that whoever adopted it has not collected yet.
fn assert_ends(pid: &str) {
    let pid = pid.trim();
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "process {pid} still runs");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn serves_and_stops() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = options(dir.path());
    let expected = format!("http://{}", options.listen);
    let mut host = Host::start(options).expect("a host");
    assert_eq!(host.base_url(), expected);
    assert!(host.is_running());

    let environment = read(dir.path(), "env");
    assert!(environment.contains("SPIN_VARIABLE_JWT_SECRET=hush"), "{environment}");
    assert!(!environment.contains("SPIN_VARIABLE_STRAY"), "{environment}");
    let command_line = read(dir.path(), "cmdline");
    assert!(command_line.contains(" up --from ") && command_line.contains("spin.toml"), "{command_line}");
    assert!(!command_line.contains("hush"), "{command_line}");

    host.stop().expect("it was running");
    assert_ends(&read(dir.path(), "grandchild"));
    let log = std::fs::read_to_string(dir.path().join("host.log")).expect("a log");
    assert!(log.contains("Serving") && log.contains("some noise on stderr"), "{log}");
}

fn spin_4_0_serves_its_own_manifest() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut host = Host::start(options(dir.path())).expect("a host");
    let command_line = read(dir.path(), "cmdline");
    assert!(command_line.contains("/spin-4.0.toml "), "{command_line}");
    host.stop().expect("it was running");
}

fn a_spin_that_is_too_old_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let error = Host::start(options(dir.path())).err().expect("refused").to_string();
    assert!(error.contains("no spin 4.0 or newer on PATH"), "{error}");
}

fn killed_hosts_are_noticed() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut host = Host::start(options(dir.path())).expect("a host");
    let pid = host.pid().to_string();
    let killed = Command::new("kill").args(["-9", &pid]).status().expect("run");
    assert!(killed.success());
    assert_ends(&pid);
    assert!(!host.is_running());
    let error = host.stop().expect_err("it was dead already").to_string();
    assert!(error.contains("ended by itself") && error.contains("some noise on stderr"), "{error}");
    assert_ends(&read(dir.path(), "grandchild"));
}

fn early_exit_is_explained() {
    let dir = tempfile::tempdir().expect("a folder");
    let begun = Instant::now();
    let error = format!("{:#}", Host::start(options(dir.path())).err().expect("refused"));
    assert!(error.contains("component ops is not built") && error.contains('7'), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "it does not wait for what cannot come");
}

#[test]
#[ignore = "run by the tests below, with a spin of theirs on PATH"]
fn scenario() {
    match std::env::var(SCENARIO).as_deref() {
        Ok("serves_and_stops") => serves_and_stops(),
        Ok("spin_4_0_serves_its_own_manifest") => spin_4_0_serves_its_own_manifest(),
        Ok("a_spin_that_is_too_old_is_refused") => a_spin_that_is_too_old_is_refused(),
        Ok("killed_hosts_are_noticed") => killed_hosts_are_noticed(),
        Ok("early_exit_is_explained") => early_exit_is_explained(),
        _ => {}
    }
}

#[test]
fn a_host_is_found_where_it_says_and_stops_with_all_that_it_started() {
    run_with_spin("4.1.0", SERVES, "serves_and_stops");
}

#[test]
fn each_spin_is_given_the_manifest_of_its_build() {
    run_with_spin("4.0.2", SERVES, "spin_4_0_serves_its_own_manifest");
    run_with_spin("3.6.3", SERVES, "a_spin_that_is_too_old_is_refused");
}

#[test]
fn a_host_that_was_killed_is_noticed_and_its_children_are_ended() {
    run_with_spin("4.1.0", SERVES, "killed_hosts_are_noticed");
}

#[test]
fn a_host_that_ends_early_is_an_error_with_its_last_words() {
    run_with_spin("4.1.0", FAILS, "early_exit_is_explained");
}
