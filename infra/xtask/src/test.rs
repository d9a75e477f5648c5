//! `cargo xtask test`

mod steps;

use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use stack::Edition;

use crate::packages::{NATIVE_PACKAGES, WITH_END_TO_END_TESTS};
use crate::report::tell;
use crate::shell::{cargo, niced, run, say};
use crate::tools::{CHROMIUM, CURL, PROMTOOL, Program, SYSTEMD_ANALYZE, Server, ensure_checkers, ensure_servers};
use crate::wasm::Toolchain;
use crate::{
    alerts, api, browser, build, conformance, deploy, dist, generators, load, matrix, redis, supply_chain, units, up,
};
use steps::{Steps, Tested};

/// A minute of leaving Redis alone, as in production, would show nothing more.
const DRILL_RESET_SECONDS: u32 = 1;

/// What answering writes where they arrive, and adding up counts there, can break.
const SUITES_WITHOUT_CHAINING: &str = "concurrency,conditions,idempotency,input,origin,origin_bodies,payments,properties,tenancy,invalidation,metrics,lingering_statements";

#[derive(Args)]
pub struct Test {
    /// What runs the components in the end-to-end suites
    #[arg(long, value_enum, default_value_t = Runtime::Embedded)]
    runtime: Runtime,
    /// How the components speak to Redis in the end-to-end suites; natively and by Upstash's if nothing is filtered, else natively
    #[arg(long, value_enum)]
    redis: Option<Protocol>,
    /// Only what a change of the code breaks first: formatting, clippy, unit and property tests, and the core end-to-end suites
    /// on one runtime and by one protocol
    #[arg(long, conflicts_with_all = ["filter", "runtime", "redis", "matrix", "without_chaining"])]
    quick: bool,
    /// Only build, and run the end-to-end suites that this can break, or those filtered, on components that reach no other, as those for
    /// Spin 4.0, but on the embedded host
    #[arg(long, conflicts_with_all = ["runtime", "redis", "matrix"])]
    without_chaining: bool,
    /// Only build, and run the core suites over the versions of Redis and PostgreSQL that the registries carry
    #[arg(long, conflicts_with_all = ["filter", "runtime", "redis"])]
    matrix: bool,
    /// With `--matrix`: other suites than the core ones, separated by commas
    #[arg(long, requires = "matrix")]
    suites: Option<String>,
    /// Only build, and run the end-to-end tests whose names contain this
    filter: Option<String>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Runtime {
    Embedded,
    Spin,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Protocol {
    Native,
    Upstash,
    /// Natively, to servers in cluster mode.
    Cluster,
}

/// What the end-to-end tests run.
#[derive(Clone, Copy, PartialEq)]
enum Selection<'a> {
    /// The suites and the history checkers.
    Everything,
    /// These suites, separated by commas, or a set of them (`tests/e2e/suites.rs`).
    Suites(&'a str),
    /// The trials whose names contain this.
    Named(&'a str),
}

impl Selection<'_> {
    fn apply<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        match self {
            Selection::Everything => command,
            Selection::Suites(suites) => command.env("RENTTRACKER_SUITES", suites),
            Selection::Named(filter) => command.arg("--").arg(filter),
        }
    }
}

impl Test {
    /// Runs the steps up to the first that does not pass.
    pub fn run(self) -> Result<Tested> {
        let mut steps = Steps::default();
        let ended = if self.quick { quick(&mut steps) } else { self.run_all(&mut steps) };
        steps.report(ended)
    }

    fn run_all(&self, steps: &mut Steps) -> Result<()> {
        if self.runtime == Runtime::Spin {
            stack::spin_on_path().context("`--runtime spin` needs spin 4.0 or newer on PATH")?;
        }
        let everything = self.filter.is_none() && !self.matrix && !self.without_chaining;
        if everything && self.runtime().edition() == Edition::Spin4_0 {
            bail!(
                "with spin 4.0 give a filter: the drills of a release are for `spin.toml`, which spin 4.1 is the first to run"
            );
        }
        let mut toolchain = Toolchain::Rustup;
        steps.step("what the machine needs", || {
            ensure_servers(&[Server::Redis, Server::Postgres, Server::HaProxy, Server::PgBouncer])?;
            ensure_checkers()?;
            if everything {
                [PROMTOOL, CURL, SYSTEMD_ANALYZE, CHROMIUM].iter().try_for_each(Program::ensure)?;
            }
            toolchain = Toolchain::ready()?;
            Ok(())
        })?;
        if everything {
            steps.step("formatting", formatting)?;
            steps.step("clippy", clippy)?;
            steps.step("documentation", documentation)?;
            steps.step("licences, bans and sources", supply_chain::licences_bans_and_sources)?;
            // After it: that step has fetched what this one reads.
            steps.step("advisories", supply_chain::advisories)?;
            steps.step("alerts", alerts::check)?;
            steps.step("systemd units", units::check)?;
            steps.step("workflows", dist::workflows::check)?;
            steps.step("unit tests, and the models", unit_tests_and_model)?;
        }
        if self.without_chaining {
            let all = Selection::Suites(SUITES_WITHOUT_CHAINING);
            let selection = self.filter.as_deref().map_or(all, Selection::Named);
            return steps.step("end-to-end tests without service chaining", || without_chaining(&toolchain, selection));
        }
        steps.step("components and host", || match self.runtime {
            Runtime::Embedded => build::run_all(&toolchain),
            Runtime::Spin => build::components(&toolchain, self.runtime().edition()),
        })?;
        if everything {
            // What is built for the other Spin, for the suite `spin_versions`.
            steps.step("components for every Spin", || {
                [Edition::Spin4_0, Edition::Spin4_1].iter().try_for_each(|it| build::components(&toolchain, *it))
            })?;
            // What the suites run from here on is what a release has.
            steps.step("a release from its source", || dist::rehearse(&toolchain, self.runtime()))?;
            steps.step("recovery of Redis", || tell(redis::rehearse(self.runtime(), DRILL_RESET_SECONDS)?))?;
            steps.step("load test", || load::rehearse(self.runtime()))?;
            steps
                .step("a release and its rollback", || tell(deploy::rehearse(self.runtime(), DRILL_RESET_SECONDS)?))?;
        }
        if self.matrix {
            return steps.step("the matrix of servers", || matrix::run_all(self.suites.as_deref()));
        }
        let selection = self.filter.as_deref().map_or(Selection::Everything, Selection::Named);
        if self.uses(Protocol::Native) {
            steps.step("end-to-end tests", || end_to_end(self.runtime(), Protocol::Native, selection))?;
        }
        if self.uses(Protocol::Cluster) {
            steps.step("end-to-end tests on Redis in cluster mode", || {
                end_to_end(self.runtime(), Protocol::Cluster, selection)
            })?;
        }
        if self.uses(Protocol::Upstash) {
            steps.step("end-to-end tests by the REST protocol of Upstash", || {
                end_to_end(self.runtime(), Protocol::Upstash, selection)
            })?;
        }
        if everything && self.runtime == Runtime::Embedded {
            steps.step("several regions", || {
                up::rehearse(self.runtime())?;
                run(cargo().arg("test").args(WITH_END_TO_END_TESTS).args(["--test", "region_history"]))
            })?;
        }
        if everything {
            steps.step("end-to-end tests without service chaining", || {
                without_chaining(&toolchain, Selection::Suites(SUITES_WITHOUT_CHAINING))
            })?;
            steps.step("the double of Upstash against Upstash's own client", conformance::check)?;
            steps.step("the API against its document", || api::check(self.runtime()))?;
            steps.step("clients generated from the document", || generators::check(self.runtime()))?;
            steps.step("console and reference in a browser", || browser::check(self.runtime()))?;
        }
        Ok(())
    }

    fn runtime(&self) -> stack::Runtime {
        match self.runtime {
            Runtime::Embedded => stack::Runtime::Embedded,
            Runtime::Spin => stack::Runtime::Spin,
        }
    }

    /// Whether the end-to-end suites run by this protocol.
    fn uses(&self, protocol: Protocol) -> bool {
        match self.redis {
            Some(asked) => asked == protocol,
            None => protocol == Protocol::Native || (protocol == Protocol::Upstash && self.filter.is_none()),
        }
    }
}

/// `--quick`
fn quick(steps: &mut Steps) -> Result<()> {
    let mut toolchain = Toolchain::Rustup;
    steps.step("what the machine needs", || {
        ensure_servers(&[Server::Redis, Server::Postgres])?;
        toolchain = Toolchain::ready()?;
        Ok(())
    })?;
    steps.step("formatting", formatting)?;
    steps.step("clippy", clippy)?;
    // `input` has the properties. Left out are the model, whose states take minutes, and what starts servers.
    steps.step("unit and property tests", || {
        run(cargo().args(["test"]).args(NATIVE_PACKAGES).args(["--lib", "--bins", "--test", "input"]))
    })?;
    steps.step("components and host", || build::run_all(&toolchain))?;
    steps.step("core end-to-end suites", || {
        end_to_end(stack::Runtime::Embedded, Protocol::Native, Selection::Suites("core"))
    })
}

fn formatting() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"])).context("`cargo fmt --all` mends it")
}

fn clippy() -> Result<()> {
    let deny = ["--", "-D", "warnings"];
    run(cargo().args(["clippy", "--workspace", "--all-targets"]).args(deny))?;
    // What is compiled for Spin 4.0 alone.
    let build = ["property-reads", "payment-reads", "ops", "origin", "console", "docs"]
        .map(|it| [format!("--package={it}"), format!("--features={it}/spin-4-0")]);
    run(cargo().arg("clippy").args(build.as_flattened()).args(deny))
}

/// Every link of a doc comment leads somewhere. Left out is the host, whose dependencies would be read once more.
fn documentation() -> Result<()> {
    run(cargo().args(["doc", "--no-deps"]).args(WITH_END_TO_END_TESTS).env("RUSTDOCFLAGS", "-Dwarnings"))
}

fn end_to_end(runtime: stack::Runtime, protocol: Protocol, selection: Selection<'_>) -> Result<()> {
    let mut command = cargo();
    command.arg("test").args(WITH_END_TO_END_TESTS).args(["--test", "e2e"]).env("RENTTRACKER_RUNTIME", runtime.name());
    // The history's faults are those of a server that one can get at.
    if protocol == Protocol::Native && !matches!(selection, Selection::Suites(_)) {
        command.args(["--test", "history"]);
    }
    // All of it is a step of its own.
    if protocol == Protocol::Native && runtime == stack::Runtime::Embedded && matches!(selection, Selection::Named(_)) {
        command.args(["--test", "region_history"]);
    }
    if protocol == Protocol::Upstash {
        command.env("RENTTRACKER_REDIS", "upstash");
    }
    if protocol == Protocol::Cluster {
        command.env(stack::REDIS_CLUSTER, "on");
    }
    run(selection.apply(&mut command))
}

/// The end-to-end tests on components that reach no other.
fn without_chaining(toolchain: &Toolchain, selection: Selection<'_>) -> Result<()> {
    build::host()?;
    build::without_chaining(toolchain)?;
    let mut command = cargo();
    command.arg("test").args(WITH_END_TO_END_TESTS).args(["--test", "e2e"]).env("RENTTRACKER_CHAINING", "without");
    run(selection.apply(&mut command))
}

/// Side by side: the model keeps one processor busy for minutes and asks for nothing else, and the unit tests mostly wait for
/// servers that they start.
fn unit_tests_and_model() -> Result<()> {
    std::thread::scope(|scope| {
        let model = scope.spawn(model);
        let units = unit_tests().inspect_err(|error| say(format!("{error:#}; the model is still at work")));
        let model = model.join().unwrap_or_else(|_| bail!("the model's thread panicked"));
        match (units, model) {
            (Err(units), Err(model)) => Err(units.context(format!("{model:#}"))),
            (units, model) => units.and(model),
        }
    })
}

/// The host's tests run in the profile that it is built with for use: a second build of the WebAssembly runtime, in
/// the development profile, would cost more than everything else here.
fn unit_tests() -> Result<()> {
    run(cargo().args(["test"]).args(NATIVE_PACKAGES))?;
    run(cargo().args(["test", "--profile", "host", "--package", "edge-host"]))
}

/// The one exploration that is too large for the development profile: 83 million states, 6 GB of memory. The host's profile
/// optimises as `release` does, without the minutes that `release` spends on whole-program optimisation. What the model has besides for
/// `RENTTRACKER_MODEL=whole` is for whoever changes read leases: it takes as long again.
fn model() -> Result<()> {
    // Behind everything else that wants a processor: tests have deadlines, and the model has none.
    let mut command = niced(&cargo());
    command.args(["test", "--profile", "host", "--package", "cache", "--test", "model"]);
    command.args(["--", "--nocapture", "with_a_crash_and_redis_lost"]);
    run(command.env("RENTTRACKER_MODEL", "whole"))?;
    run(niced(&cargo()).args(["test", "--profile", "host", "--package", "cache", "--test", "regions"]))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        test: Test,
    }

    #[test]
    fn a_quick_run_is_one_run_and_takes_no_choice() {
        let parse = |words: &[&str]| Line::try_parse_from([&["test"], words].concat());
        assert!(parse(&["--quick"]).expect("it is taken").test.quick);
        for other in ["--redis=native", "--runtime=spin", "--matrix", "--without-chaining", "a_filter"] {
            assert!(parse(&["--quick", other]).is_err(), "{other}");
        }
    }
}
