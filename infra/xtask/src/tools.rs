//! What has to be installed on the machine, and installing it.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::unistd::geteuid;

use crate::shell::{check_interrupted, output, run, say};

/// Asked by Debian's package scripts before they start a service; 101 forbids it.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// A server that the stack starts for itself.
#[derive(Clone, Copy)]
pub enum Server {
    Redis,
    Postgres,
    HaProxy,
    PgBouncer,
}

impl Server {
    /// The Debian package that brings it.
    pub fn package(self) -> &'static str {
        match self {
            Server::Redis => "redis-server",
            Server::Postgres => "postgresql",
            Server::HaProxy => "haproxy",
            Server::PgBouncer => "pgbouncer",
        }
    }

    /// What it is for.
    pub fn reason(self) -> &'static str {
        match self {
            Server::Redis => "Redis is the cache",
            Server::Postgres => "PostgreSQL holds the data",
            Server::HaProxy => "HAProxy stands before a Redis that fails over",
            Server::PgBouncer => "PgBouncer stands before a PostgreSQL and drops what it is told",
        }
    }

    /// Whether the machine has it.
    pub fn is_installed(self) -> bool {
        match self {
            Server::Redis => {
                ["redis-server", "valkey-server"].into_iter().any(|name| stack::find_on_path(name).is_some())
            }
            Server::Postgres => stack::postgres_binaries(None).is_some(),
            Server::HaProxy => stack::find_on_path("haproxy").is_some(),
            Server::PgBouncer => stack::find_on_path("pgbouncer").is_some(),
        }
    }
}

/// Those of `servers` that are not installed.
pub fn missing(servers: &[Server]) -> Vec<Server> {
    servers.iter().copied().filter(|server| !server.is_installed()).collect()
}

/// Installs those of `servers` that are missing.
pub fn ensure_servers(servers: &[Server]) -> Result<()> {
    let missing = missing(servers);
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|server| server.package()).collect();
    let reasons: Vec<&str> = missing.iter().map(|server| server.reason()).collect();
    apt_install(&packages, &reasons.join(", "))?;
    match missing.iter().find(|server| !server.is_installed()) {
        None => Ok(()),
        Some(server) => {
            bail!("the package {} was installed and its server is not where it should be", server.package())
        }
    }
}

/// A program of Debian's that checks something. None of its package's services is started.
pub struct Program {
    /// What it is called on PATH.
    pub name: &'static str,
    /// The Debian package that brings it.
    pub package: &'static str,
    /// What it is for.
    pub reason: &'static str,
}

/// Debian has it only together with Prometheus's server.
pub const PROMTOOL: Program =
    Program { name: "promtool", package: "prometheus", reason: "its promtool checks the alerts" };
/// The guides' commands use it.
pub const CURL: Program = Program {
    name: "curl",
    package: "curl",
    reason: "the guides' commands ask with it whether the application answers",
};
/// The console and the reference are tried in it.
pub const CHROMIUM: Program =
    Program { name: "chromium", package: "chromium", reason: "the console and the reference are tried in it" };
/// Nothing of systemd has to run.
pub const SYSTEMD_ANALYZE: Program =
    Program { name: "systemd-analyze", package: "systemd", reason: "its systemd-analyze checks the units" };

impl Program {
    /// Installs it if it is missing.
    pub fn ensure(&self) -> Result<()> {
        if stack::find_on_path(self.name).is_none() {
            apt_install(&[self.package], self.reason)?;
        }
        Ok(())
    }
}

/// What the toolchain checks the code with, and the commands of cargo that they are.
pub const CHECKERS: [(&str, &str); 2] = [("rustfmt", "fmt"), ("clippy", "clippy")];

/// Whether the toolchain has the checker that is this command of cargo.
pub fn has_checker(subcommand: &str) -> bool {
    output(crate::shell::cargo().args([subcommand, "--version"])).is_ok()
}

/// Installs `rustfmt` and `clippy` if the toolchain came without them.
pub fn ensure_checkers() -> Result<()> {
    for (component, subcommand) in CHECKERS {
        if !has_checker(subcommand) {
            say(format!("installing {component}, which the checks need"));
            run(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

/// Installs Debian packages without starting any service; without root it says what to run.
pub fn apt_install(packages: &[&str], reason: &str) -> Result<()> {
    let names = packages.join(" ");
    if stack::find_on_path("apt-get").is_none() {
        bail!(
            "this machine lacks what Debian's packages {names} bring ({reason}); install it with your package manager"
        );
    }
    if !geteuid().is_root() {
        bail!("{}", without_root(&names, reason));
    }
    say(format!("installing {names} with apt-get: {reason}"));
    let _services_stay_off = forbid_services()?;
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    if let Err(error) = run(apt().args(["update", "--quiet"])) {
        check_interrupted()?;
        // A failure of one repository of many need not matter; if it does, the next command fails.
        say(format!("{error}; going on with the lists of packages that are here"));
    }
    run(apt().args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages))
}

/// The command that installs Debian packages.
pub fn install_command(packages: &[&str], is_root: bool) -> String {
    let sudo = if is_root { "" } else { "sudo " };
    let names = packages.join(" ");
    format!("{sudo}apt-get update && {sudo}apt-get install --yes --no-install-recommends {names}")
}

fn without_root(names: &str, reason: &str) -> String {
    format!(
        "packages are missing ({reason}) and only root may install them. Run these two, then this again:\n  \
         sudo apt-get update\n  sudo apt-get install --yes --no-install-recommends {names}"
    )
}

/// While it lives no package starts its service: `up` starts servers of its own, and stops them.
struct ServicesForbidden {
    ours: bool,
}

fn forbid_services() -> Result<ServicesForbidden> {
    match File::options().write(true).create_new(true).mode(0o755).open(POLICY) {
        Ok(mut file) => {
            file.write_all(b"#!/bin/sh\n# Put here by cargo xtask while it installs packages.\nexit 101\n")?;
            Ok(ServicesForbidden { ours: true })
        }
        // In containers there usually is one, which says the same.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(ServicesForbidden { ours: false }),
        Err(error) => Err(error).with_context(|| format!("cannot write {POLICY}")),
    }
}

impl Drop for ServicesForbidden {
    fn drop(&mut self) {
        if self.ours {
            let _ = std::fs::remove_file(Path::new(POLICY));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_root_the_exact_commands_are_given() {
        let text = without_root("redis-server postgresql", "why");
        assert!(text.contains("\n  sudo apt-get update\n"), "{text}");
        assert!(text.ends_with("sudo apt-get install --yes --no-install-recommends redis-server postgresql"), "{text}");
    }
}
