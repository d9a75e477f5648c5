//! From what is known of the machine to what is wrong with it. Pure.

use stack::Edition;

use super::facts::{Facts, Packages, PortState, Spin};
use super::{Check, Diagnosis, State};
use crate::tools::{Server, install_command};
use crate::wasm;
use crate::{python, wasm::TARGET};

/// Major and minor of a version.
type Version = (u32, u32);

/// The oldest of each that the components run on (`infra/deploy/README.md`, versions of the servers; the migrations refuse an older
/// PostgreSQL). Valkey begins with 7.2, and so is never older.
const REDIS: Version = (6, 2);
const POSTGRES: Version = (stack::OLDEST_POSTGRES, 0);

const GIB: u64 = 1 << 30;
/// A first build of components, host and commands leaves less than 3 GB in `target`, and the sources of their crates take less than 1 GB.
const FIRST_BUILD_BYTES: u64 = 4 * GIB;
/// What a later build, the log and the data of the demo take at most.
const LATER_BUILD_BYTES: u64 = GIB;

/// Looks at everything: first what `up` needs, then what tests need.
pub fn diagnose(facts: &Facts) -> Diagnosis {
    let mut checks = vec![
        rust(facts),
        target(facts),
        spin(facts),
        redis(facts),
        postgres(facts),
        python(facts),
        node(facts),
        port(facts),
        inner_ports(facts),
        disk(facts),
    ];
    checks.extend(facts.checkers.iter().map(|(name, is_there)| checker(name, *is_there)));
    checks.extend(programs(facts));
    Diagnosis::of(checks)
}

fn ok(name: &'static str, found: impl Into<String>) -> Check {
    Check { name, state: State::Ok, found: found.into(), mend: None }
}

fn warning(name: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Check {
    Check { name, state: State::Warning, found: found.into(), mend: Some(mend.into()) }
}

fn error(name: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Check {
    Check { name, state: State::Error, found: found.into(), mend: Some(mend.into()) }
}

fn rust(facts: &Facts) -> Check {
    let least = version(env!("CARGO_PKG_RUST_VERSION")).unwrap_or_default();
    let mend = match facts.has_rustup {
        true => "rustup update stable".to_owned(),
        false => "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh".to_owned(),
    };
    versioned("Rust", facts.rustc.as_deref(), least, mend)
}

fn target(facts: &Facts) -> Check {
    match (facts.has_wasm, facts.has_rustup) {
        (true, _) => ok(TARGET, "installed"),
        (false, true) => {
            error(TARGET, "not installed: the components are built for it", format!("rustup target add {TARGET}"))
        }
        (false, false) => {
            error(TARGET, "not installed: the components are built for it", install(facts, wasm::DEBIAN_PACKAGES))
        }
    }
}

fn spin(facts: &Facts) -> Check {
    match &facts.spin {
        Spin::Absent => ok("Spin", "not installed: the embedded host serves"),
        Spin::Usable { version: (major, minor), edition } => {
            let build = match edition {
                Edition::Spin4_0 => "cargo xtask build --spin 4.0",
                Edition::Spin4_1 => "cargo xtask build",
            };
            ok("Spin", format!("{major}.{minor}, which needs {}: `{build}`", edition.manifest()))
        }
        Spin::Unusable(program) => warning(
            "Spin",
            format!("{} is older than 4.0, or another program: the embedded host serves", program.display()),
            "curl -fsSL https://spinframework.dev/downloads/install.sh | bash",
        ),
    }
}

fn redis(facts: &Facts) -> Check {
    versioned("Redis", facts.redis.as_deref(), REDIS, install(facts, &[Server::Redis.package()]))
}

fn postgres(facts: &Facts) -> Check {
    if let Some(version) = &facts.data_of_missing_postgres {
        return error(
            "PostgreSQL",
            format!("the data in .dev/postgres are of version {version}, which is not installed"),
            format!(
                "{} (or, without the data: rm -r .dev/postgres)",
                install(facts, &[&format!("postgresql-{version}")])
            ),
        );
    }
    versioned("PostgreSQL", facts.postgres.as_deref(), POSTGRES, install(facts, &[Server::Postgres.package()]))
}

fn port(facts: &Facts) -> Check {
    let listen = &facts.port.listen;
    match &facts.port.state {
        PortState::Free => ok("address", format!("{listen} is free")),
        PortState::Ours => ok("address", format!("`cargo xtask up` serves on {listen}")),
        PortState::Refused { why, free } => {
            error("address", format!("{listen}: {why}"), format!("cargo xtask up --listen 127.0.0.1:{free}"))
        }
    }
}

fn inner_ports(facts: &Facts) -> Check {
    let (first, last) = (stack::PORTS.start(), stack::PORTS.end());
    match facts.has_inner_ports {
        true => ok("inner ports", format!("Redis and PostgreSQL take free ones of 127.0.0.1, {first} to {last}")),
        false => error(
            "inner ports",
            format!("no port of 127.0.0.1 from {first} to {last} is free"),
            "ss -ltnp (and stop what listens there)",
        ),
    }
}

fn disk(facts: &Facts) -> Check {
    let (needed, when) = match facts.is_built {
        true => (LATER_BUILD_BYTES, "another build"),
        false => (FIRST_BUILD_BYTES, "the first build"),
    };
    let found = format!("{:.1} GiB are free; {when} takes up to {} GiB", gib(facts.free_bytes), needed / GIB);
    match facts.free_bytes >= needed {
        true => ok("disk", found),
        false => error("disk", found, "export CARGO_TARGET_DIR=FOLDER (on a disk with room)"),
    }
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / GIB as f64
}

fn checker(name: &'static str, is_there: bool) -> Check {
    match is_there {
        true => ok(name, "installed"),
        false => warning(name, "not installed: tests check the code with it", format!("rustup component add {name}")),
    }
}

fn programs(facts: &Facts) -> impl Iterator<Item = Check> {
    facts.programs.iter().map(|it| match it.is_there {
        true => ok(it.name, "installed"),
        false => warning(it.name, format!("not installed: {}", it.reason), install(facts, &[it.package])),
    })
}

fn python(facts: &Facts) -> Check {
    let check =
        versioned("Python", facts.python.as_deref(), python::MINIMUM, install(facts, &["python3", "python3-venv"]));
    match check.state {
        State::Ok if !facts.has_venv => error(
            "Python",
            "makes no virtual environments: Node.js, which installs what pages are built of, comes from PyPI into one",
            install(facts, &["python3-venv"]),
        ),
        _ => check,
    }
}

fn node(facts: &Facts) -> Check {
    ok(
        "Node.js",
        match facts.has_node {
            true => "installed in target/tools/node",
            false => "comes from PyPI into target/tools/node with the first build",
        },
    )
}

/// What is installed and new enough.
fn versioned(name: &'static str, printed: Option<&str>, least: Version, mend: String) -> Check {
    let (major, minor) = least;
    match printed.map(|printed| (printed, version(printed))) {
        None => error(name, "not installed", mend),
        Some((printed, None)) => error(name, format!("its version cannot be read: {printed:?}"), mend),
        Some((printed, Some(found))) if found < least => {
            error(name, format!("{printed}: {major}.{minor} or newer is needed"), mend)
        }
        Some((printed, Some(_))) => ok(name, printed),
    }
}

/// The first number of a text, and the one behind its dot.
fn version(text: &str) -> Option<Version> {
    let text = &text[text.find(|c: char| c.is_ascii_digit())?..];
    let number = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    let minor = text.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix('.').and_then(number);
    Some((number(text)?, minor.unwrap_or(0)))
}

/// The command that brings Debian's packages.
fn install(facts: &Facts, packages: &[&str]) -> String {
    match facts.packages {
        Packages::Apt { is_root } => install_command(packages, is_root),
        Packages::Unknown => {
            format!("install what Debian's packages {} bring, with your package manager", packages.join(" "))
        }
    }
}
