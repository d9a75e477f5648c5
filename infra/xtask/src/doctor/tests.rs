//! Machines that lack one thing each.

use serde_json::json;
use stack::Edition;

use super::diagnosis::diagnose;
use super::facts::{Facts, Packages, Port, PortState, Spin, Used};
use super::*;
use crate::report;

/// A machine that lacks nothing.
fn machine() -> Facts {
    Facts {
        packages: Packages::Apt { is_root: false },
        rustc: Some("rustc 1.95.0 (59807616e 2026-04-14)".into()),
        has_rustup: true,
        has_wasm: true,
        spin: Spin::Absent,
        redis: Some("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64".into()),
        postgres: Some("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)".into()),
        data_of_missing_postgres: None,
        port: Port { listen: "127.0.0.1:3000".into(), state: PortState::Free },
        has_inner_ports: true,
        is_built: false,
        free_bytes: 100 << 30,
        checkers: vec![("rustfmt", true)],
        programs: vec![Used { name: "haproxy", package: "haproxy", reason: "it stands before Redis", is_there: true }],
        python: Some("Python 3.11.2".into()),
        has_venv: true,
        has_node: true,
    }
}

/// Passes a machine of which `name` is in this state, with something that mends it that contains `mend`, and nothing else is wrong.
#[track_caller]
fn check(facts: &Facts, name: &str, state: State, mend: &str) {
    let diagnosis = diagnose(facts);
    let (wrong, right): (Vec<&Check>, Vec<&Check>) = diagnosis.checks.iter().partition(|it| it.state != State::Ok);
    assert_eq!(wrong.iter().map(|it| it.name).collect::<Vec<_>>(), [name]);
    assert_eq!(wrong[0].state, state, "{wrong:?}");
    assert!(wrong[0].mend.as_ref().is_some_and(|it| it.contains(mend)), "{wrong:?}");
    assert!(right.iter().all(|it| it.mend.is_none()), "{right:?}");
    assert_eq!(diagnosis.ready, state != State::Error);
    assert_eq!(diagnosis.verdict().is_ok(), state != State::Error);
}

#[track_caller]
fn found(facts: &Facts, name: &str) -> String {
    let diagnosis = diagnose(facts);
    let check = diagnosis.checks.iter().find(|it| it.name == name).expect(name);
    assert_eq!(check.state, State::Ok, "{check:?}");
    check.found.clone()
}

#[test]
fn a_machine_that_lacks_nothing_is_ready() {
    let diagnosis = diagnose(&machine());
    assert!(diagnosis.checks.iter().all(|it| it.state == State::Ok && it.mend.is_none()), "{diagnosis}");
    assert!(diagnosis.to_string().ends_with("\n`cargo xtask up` has what it needs"), "{diagnosis}");
    diagnosis.verdict().expect("ready");
}

#[test]
fn what_up_lacks_is_an_error_with_the_command_that_mends_it() {
    let error = |facts: &Facts, name, mend| check(facts, name, State::Error, mend);
    error(&Facts { rustc: Some("rustc 1.94.1 (abc)".into()), ..machine() }, "Rust", "rustup update stable");
    error(&Facts { rustc: None, has_rustup: false, ..machine() }, "Rust", "sh.rustup.rs");
    error(&Facts { has_wasm: false, ..machine() }, "wasm32-wasip2", "rustup target add wasm32-wasip2");
    error(&Facts { has_wasm: false, has_rustup: false, ..machine() }, "wasm32-wasip2", "rustc-web");
    error(
        &Facts { redis: None, ..machine() },
        "Redis",
        "sudo apt-get install --yes --no-install-recommends redis-server",
    );
    error(&Facts { redis: Some("Redis server v=6.0.16".into()), ..machine() }, "Redis", "redis-server");
    error(&Facts { redis: Some("unreadable".into()), ..machine() }, "Redis", "redis-server");
    error(&Facts { postgres: None, ..machine() }, "PostgreSQL", "recommends postgresql");
    error(&Facts { postgres: Some("postgres (PostgreSQL) 13.9".into()), ..machine() }, "PostgreSQL", "postgresql");
    let data_of_missing_postgres = Some("14".into());
    error(&Facts { data_of_missing_postgres, ..machine() }, "PostgreSQL", "postgresql-14 (or, without the data: rm -r");
    let taken = PortState::Refused { why: "Address already in use".into(), free: 20_001 };
    let port = Port { listen: "127.0.0.1:3000".into(), state: taken };
    error(&Facts { port, ..machine() }, "address", "cargo xtask up --listen 127.0.0.1:20001");
    error(&Facts { has_inner_ports: false, ..machine() }, "inner ports", "ss -ltnp");
    error(&Facts { free_bytes: 2 << 30, ..machine() }, "disk", "CARGO_TARGET_DIR");
    error(&Facts { python: None, ..machine() }, "Python", "python3 python3-venv");
    error(&Facts { python: Some("Python 3.9.2".into()), ..machine() }, "Python", "python3");
    error(&Facts { has_venv: false, ..machine() }, "Python", "python3-venv");
}

#[test]
fn what_tests_alone_lack_is_a_warning() {
    let warning = |facts: &Facts, name, mend| check(facts, name, State::Warning, mend);
    let programs = machine().programs.into_iter().map(|it| Used { is_there: false, ..it }).collect();
    warning(&Facts { programs, ..machine() }, "haproxy", "sudo apt-get install --yes --no-install-recommends haproxy");
    warning(&Facts { checkers: vec![("rustfmt", false)], ..machine() }, "rustfmt", "rustup component add rustfmt");
    warning(&Facts { spin: Spin::Unusable("/bin/spin".into()), ..machine() }, "Spin", "spinframework.dev");
}

#[test]
fn root_needs_no_sudo_and_another_system_is_told_the_packages() {
    let of = |packages| Facts { packages, redis: None, ..machine() };
    check(&of(Packages::Apt { is_root: true }), "Redis", State::Error, "apt-get update && apt-get install");
    check(&of(Packages::Unknown), "Redis", State::Error, "what Debian's packages redis-server bring");
}

#[test]
fn the_spin_on_path_is_told_with_the_build_that_it_needs() {
    let of = |version, edition| found(&Facts { spin: Spin::Usable { version, edition }, ..machine() }, "Spin");
    assert_eq!(of((4, 0), Edition::Spin4_0), "4.0, which needs spin-4.0.toml: `cargo xtask build --spin 4.0`");
    assert_eq!(of((4, 1), Edition::Spin4_1), "4.1, which needs spin.toml: `cargo xtask build`");
    assert_eq!(found(&machine(), "Spin"), "not installed: the embedded host serves");
}

#[test]
fn what_is_new_enough_is_taken() {
    for redis in ["Redis server v=6.2.14", "Redis server v=10.0.0", "Valkey server v=9.1.2 sha=00000000:1"] {
        assert_eq!(found(&Facts { redis: Some(redis.into()), ..machine() }, "Redis"), redis);
    }
    for postgres in ["postgres (PostgreSQL) 14.0", "postgres (PostgreSQL) 19beta1"] {
        assert_eq!(found(&Facts { postgres: Some(postgres.into()), ..machine() }, "PostgreSQL"), postgres);
    }
}

#[test]
fn an_up_that_runs_takes_its_own_port_and_a_later_build_takes_less() {
    let port = Port { listen: "127.0.0.1:3000".into(), state: PortState::Ours };
    assert_eq!(found(&Facts { port, ..machine() }, "address"), "`cargo xtask up` serves on 127.0.0.1:3000");
    let later = Facts { is_built: true, free_bytes: 2 << 30, ..machine() };
    assert_eq!(found(&later, "disk"), "2.0 GiB are free; another build takes up to 1 GiB");
}

#[test]
fn errors_are_counted_and_each_is_shown_with_what_mends_it() {
    let mended =
        Check { name: "Redis", state: State::Error, found: "not installed".into(), mend: Some("do it".into()) };
    let right = Check { name: "disk", state: State::Ok, found: "enough".into(), mend: None };
    let diagnosis = Diagnosis::of(vec![mended, right]);
    let expected = "error    Redis  not installed\n         mend it: do it\nok       disk   enough\n\
                    `cargo xtask up` lacks 1 of what it needs";
    assert_eq!(diagnosis.to_string(), expected);
    let expected = json!({ "ready": false, "checks": [
        { "name": "Redis", "state": "error", "found": "not installed", "mend": "do it" },
        { "name": "disk", "state": "ok", "found": "enough", "mend": null },
    ] });
    report::tests::check("doctor", &diagnosis, expected);
}

/// Whatever this machine lacks: each thing is looked at, and none in vain.
#[test]
fn this_machine_is_looked_at() {
    let diagnosis = diagnose(&probe::facts("127.0.0.1:0").expect("facts"));
    let names: Vec<&str> = diagnosis.checks.iter().map(|it| it.name).collect();
    for name in
        ["Rust", "wasm32-wasip2", "Spin", "Redis", "PostgreSQL", "address", "disk", "pgbouncer", "haproxy", "promtool"]
    {
        assert!(names.contains(&name), "{names:?}");
    }
    let rust = diagnosis.checks.iter().find(|it| it.name == "Rust").expect("Rust");
    assert_eq!(rust.state, State::Ok, "it has compiled this");
}
