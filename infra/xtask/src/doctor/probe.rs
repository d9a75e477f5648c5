//! Looks at the machine.

use std::process::Command;

use anyhow::{Context, Result};
use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;
use stack::Edition;

use super::facts::{Facts, Packages, Port, PortState, Spin, Used};
use crate::dev::Dev;
use crate::shell::output;
use crate::tools::{CHECKERS, CHROMIUM, CURL, PROMTOOL, SYSTEMD_ANALYZE, Server, has_checker};
use crate::wasm::Toolchain;
use crate::{build, npm, up};

/// All that is looked at. `listen` is where `up` is to serve.
pub fn facts(listen: &str) -> Result<Facts> {
    let dev = Dev::open()?;
    let has = |program: &str| stack::find_on_path(program).is_some();
    let apt = Packages::Apt { is_root: geteuid().is_root() };
    let spin = match (stack::spin_on_path(), stack::find_on_path("spin")) {
        (Some(spin), _) => Spin::Usable { version: spin.version, edition: spin.edition },
        (None, Some(program)) => Spin::Unusable(program),
        (None, None) => Spin::Absent,
    };
    let redis = ["redis-server", "valkey-server"].into_iter().find(|name| has(name));
    let postgres = stack::postgres_binaries(None).map(|programs| programs.join("postgres"));
    let made_by = std::fs::read_to_string(dev.path("postgres/data/PG_VERSION")).ok();
    let made_by = made_by.map(|version| version.trim().to_owned());
    let edition = match &spin {
        Spin::Usable { edition, .. } => *edition,
        _ => Edition::Spin4_1,
    };
    let python = ["-c", "import ensurepip, venv"];
    let disk = statvfs(&stack::repository_root()).context("the disk does not tell what it has left")?;
    Ok(Facts {
        packages: if has("apt-get") { apt } else { Packages::Unknown },
        rustc: output(Command::new("rustc").arg("--version").current_dir(stack::repository_root())).ok(),
        has_rustup: has("rustup"),
        has_wasm: Toolchain::is_ready(),
        spin,
        redis: redis.and_then(|program| output(Command::new(program).arg("--version")).ok()),
        postgres: postgres.and_then(|program| output(Command::new(program).arg("--version")).ok()),
        data_of_missing_postgres: made_by.filter(|version| stack::postgres_binaries(Some(version)).is_none()),
        port: Port { listen: listen.to_owned(), state: port(&dev, listen)? },
        has_inner_ports: stack::free_port().is_ok(),
        is_built: build::has_components(edition)? && (matches!(edition, Edition::Spin4_0) || build::has_host()),
        free_bytes: disk.blocks_available() * disk.fragment_size(),
        checkers: CHECKERS.map(|(name, subcommand)| (name, has_checker(subcommand))).to_vec(),
        programs: programs(),
        python: output(Command::new("python3").arg("--version")).ok(),
        has_venv: output(Command::new("python3").args(python)).is_ok(),
        has_node: npm::has_node(),
    })
}

fn port(dev: &Dev, listen: &str) -> Result<PortState> {
    Ok(match (up::free_address(listen), dev.facts()) {
        (Ok(_), _) => PortState::Free,
        (Err(_), Ok(facts)) if facts.is_running() && facts.base_url == format!("http://{listen}") => PortState::Ours,
        (Err(error), _) => PortState::Refused { why: error.root_cause().to_string(), free: stack::free_port()? },
    })
}

fn programs() -> Vec<Used> {
    let servers = [(Server::HaProxy, "haproxy"), (Server::PgBouncer, "pgbouncer")].map(|(server, name)| Used {
        name,
        package: server.package(),
        reason: server.reason(),
        is_there: server.is_installed(),
    });
    let others = [PROMTOOL, CURL, SYSTEMD_ANALYZE, CHROMIUM].map(|program| Used {
        name: program.name,
        package: program.package,
        reason: program.reason,
        is_there: stack::find_on_path(program.name).is_some(),
    });
    servers.into_iter().chain(others).collect()
}
