//! `cargo xtask browser`: the console and the reference in Chromium, on Redis, PostgreSQL and the built components.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;
use stack::{Host, Runtime};

use crate::scene::Servers;
use crate::shell::{run, say};
use crate::tools::{CHROMIUM, Server, ensure_servers};
use crate::{build, demo, npm};

/// The tests, and the packages that they need: pinned with all they need, by version and hash.
const SOURCE: &str = "tests/browser";
const INSTALLED: &str = "target/tools/browser";
/// The console's scripts, and their unit tests.
const CONSOLE: &str = "components/console";
/// Where the pictures of README.md are.
const PICTURES: &str = "infra/console";
/// All suites, in their order.
const ALL: &str = "all.mjs";
/// An order of `auto` shows within a second.
const VARIABLES: [(&str, &str); 1] = [("breaker_reset_seconds", "1")];
/// How many properties each landlord has.
const PROPERTIES: u32 = 25;

#[derive(Args)]
pub struct Browser {
    /// Only the tests whose names contain this
    filter: Option<String>,
    /// Write the pictures in README.md anew, and test nothing
    #[arg(long, conflicts_with = "filter")]
    pictures: bool,
}

impl Browser {
    pub fn run(self) -> Result<()> {
        ensure_servers(&[Server::Redis, Server::Postgres])?;
        build::run()?;
        let scripts = Scripts::install()?;
        if self.pictures {
            return scripts.run_on_a_stack(Runtime::Embedded, |node| {
                node.arg("pictures.mjs").env("PICTURES", stack::repository_root().join(PICTURES));
            });
        }
        scripts.test(Runtime::Embedded, self.filter.as_deref())
    }
}

/// Checks the scripts' types, runs their unit tests, and tries the pages.
pub fn check(runtime: Runtime) -> Result<()> {
    Scripts::install()?.test(runtime, None)
}

struct Scripts {
    node: PathBuf,
    folder: PathBuf,
}

impl Scripts {
    fn install() -> Result<Scripts> {
        CHROMIUM.ensure()?;
        let names = files(&stack::repository_root().join(SOURCE), ".mjs")?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let folder = npm::install(SOURCE, INSTALLED, &names, "they drive Chromium and look at what it shows")?;
        Ok(Scripts { node: npm::node()?, folder })
    }

    fn test(&self, runtime: Runtime, filter: Option<&str>) -> Result<()> {
        if filter.is_none() {
            self.check_scripts()?;
        }
        self.run_on_a_stack(runtime, |node| {
            node.args(["--test", "--test-reporter=spec"]);
            node.args(filter.map(|filter| format!("--test-name-pattern={filter}"))).arg(ALL);
        })
    }

    /// The console's scripts without a browser: their types, and what is pure in them.
    fn check_scripts(&self) -> Result<()> {
        let console = stack::repository_root().join(CONSOLE);
        say("the types of the console's scripts");
        let compiler = self.folder.join("node_modules/typescript/bin/tsc");
        run(Command::new(&self.node).arg(compiler).arg("--project").arg(&console))?;
        say("the unit tests of the console's scripts");
        let tests = files(&console.join("tests"), ".test.js")?;
        let mut command = Command::new(&self.node);
        run(command.args(["--test", "--test-reporter=dot"]).args(tests).current_dir(console.join("tests")))
    }

    /// Starts the stack, and runs Node.js on the scripts with what they need to know of it.
    fn run_on_a_stack(&self, runtime: Runtime, arguments: impl FnOnce(&mut Command)) -> Result<()> {
        let servers = Servers::start(PROPERTIES)?;
        let variables = VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let host = servers.serve(runtime, variables.into())?;
        let mut node = Command::new(&self.node);
        arguments(node.current_dir(&self.folder));
        run(describe(&mut node, &servers, &host)?)
            .with_context(|| format!("the host's last lines:\n{}", host.last_lines()))
    }
}

/// Tells the scripts of the stack by their environment.
fn describe<'a>(node: &'a mut Command, servers: &Servers, host: &Host) -> Result<&'a mut Command> {
    let tenant = demo::TENANTS[0];
    let chromium = stack::find_on_path(CHROMIUM.name).context("chromium is not on PATH")?;
    node.envs(servers.database_environment()?)
        .env("PGDATABASE", servers.database_name())
        .env("BASE_URL", host.base_url())
        .env("TENANT", tenant)
        .env("TENANT_TOKEN", servers.token(tenant, None)?)
        .env("ADMIN_TOKEN", servers.token("operator", Some("Admin"))?)
        .env("REDIS_URL", servers.redis.url())
        .env("REDIS_PID", servers.redis.pid().to_string())
        .env("CHROMIUM", chromium);
    Ok(node)
}

/// The names in a folder that end so.
fn files(folder: &Path, end: &str) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(end)).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_is_run() {
        let folder = stack::repository_root().join(SOURCE);
        let all = std::fs::read_to_string(folder.join(ALL)).expect("read");
        for suite in files(&folder, ".test.mjs").expect("read") {
            assert!(all.contains(&format!("import './{suite}';")), "{suite}");
        }
        assert!(all.trim_end().ends_with("import './outage.test.mjs';"), "no other finds a Redis after it");
    }
}
