//! `cargo xtask`: what a developer and CI do with this repository, in one place and without any other tool.

mod alerts;
mod api;
mod assets;
mod bench;
mod browser;
mod build;
mod client;
mod compile;
mod completions;
mod conformance;
mod demo;
mod deploy;
mod dev;
mod dist;
mod doctor;
mod generators;
mod help;
mod http;
mod load;
mod logs;
mod matrix;
mod measured;
mod migrate;
mod npm;
mod packages;
mod python;
mod redis;
mod remap;
mod report;
mod scene;
mod servers;
mod shell;
mod soak;
mod supply_chain;
mod test;
mod token;
mod tools;
mod units;
mod up;
mod validators;
mod wasm;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use report::Reporting;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Runs, tests and builds RentTracker Edge")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Serve the API with a Redis, a PostgreSQL and a demo of its own, until Ctrl-C
    Up(up::Up),
    /// Check everything that a machine can check
    Test(Reporting<test::Test>),
    /// Check histories under faults for longer than `test` does
    Soak(soak::Soak),
    /// Measure beside the platform's floor, a sample and peers, and write target/bench/report.html
    Bench(Reporting<bench::Bench>),
    /// Load a host, staging's say, with requests at a steady rate, and write target/load/report.html
    Load(Reporting<load::Load>),
    /// Write how PostgreSQL runs each statement on a million rows into infra/migrations/README.md
    Explain(bench::Explain),
    /// Build the components, and the host that runs them where Spin is not installed
    Build(build::Components),
    /// Build a release of the commit that is checked out: target/dist/renttracker-edge-VERSION.tar.gz
    Dist(Reporting<dist::Dist>),
    /// Install what the console and the reference have built in from npm, as `build` and `up` do
    Assets,
    /// Try the console and the reference in Chromium
    Browser(browser::Browser),
    /// Hold the running API to its OpenAPI document
    Api,
    /// Make a TypeScript client from the OpenAPI document: target/client/*.tgz
    Client,
    /// Hold the document to validators, and use the clients that generators make from it on the running API
    Generators,
    /// Hold the double of Upstash to Upstash's own client
    Conformance,
    /// Write components/ops/openapi.json from the code
    Openapi,
    /// Apply infra/migrations to a database
    Migrate(Reporting<migrate::Migrate>),
    /// Check what a deployment would run with
    Deploy(deploy::Deploy),
    /// Back Redis up, verify and restore backups, and rehearse it
    Redis(redis::Redis),
    /// Print a token for a tenant
    Token(Reporting<token::Token>),
    /// Say what this machine lacks for `up` and `test`, with the command that mends it
    Doctor(Reporting<doctor::Doctor>),
    /// Show the log of the stack that `up` runs: all of it, or some levels, events, components or requests
    Logs(logs::Logs),
    /// Print the script that completes these commands in a shell
    #[command(after_help = completions::INSTALL)]
    Completions(completions::Completions),
}

fn main() -> ExitCode {
    let matches = help::grouped(Arguments::command()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = shell::watch_signals().and_then(|()| match arguments.task {
        Task::Up(up) => up.run(),
        Task::Test(test) => test.run(test::Test::run),
        Task::Soak(soak) => soak.run(),
        Task::Bench(bench) => bench.run(bench::Bench::run),
        Task::Load(load) => load.run(load::Load::run),
        Task::Explain(explain) => explain.run(),
        Task::Build(components) => components.run(),
        Task::Dist(dist) => dist.run(dist::Dist::run),
        Task::Assets => assets::prepare(),
        Task::Browser(browser) => browser.run(),
        Task::Api => build::run().and_then(|()| api::check(stack::Runtime::Embedded)),
        Task::Client => client::build().map(drop),
        Task::Generators => build::run().and_then(|()| generators::check(stack::Runtime::Embedded)),
        Task::Conformance => conformance::check(),
        Task::Openapi => shell::run(shell::cargo().args(["run", "--package", "openapi"])),
        Task::Migrate(migrate) => migrate.run(migrate::Migrate::run),
        Task::Deploy(deploy) => deploy.run(),
        Task::Redis(redis) => redis.run(),
        Task::Token(token) => token.run(token::Token::run),
        Task::Doctor(doctor) => doctor.run(doctor::Doctor::run),
        Task::Logs(logs) => logs.run(),
        Task::Completions(completions) => completions.run(),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if shell::interrupted() => {
            eprintln!("stopped");
            ExitCode::from(shell::INTERRUPTED_CODE)
        }
        Err(error) => {
            eprintln!("error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("  because: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}
