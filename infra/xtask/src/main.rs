//! `cargo xtask`: what a developer and CI do with this repository, in one place and without any other tool.

mod alerts;
mod api;
mod bench;
mod build;
mod compile;
mod conformance;
mod demo;
mod deploy;
mod dev;
mod help;
mod http;
mod load;
mod matrix;
mod migrate;
mod npm;
mod packages;
mod python;
mod redis;
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
    Test(test::Test),
    /// Check histories under faults for longer than `test` does
    Soak(soak::Soak),
    /// Measure beside the platform's floor and a native peer, and write target/bench/report.html
    Bench(bench::Bench),
    /// Load a host, staging's say, with requests at a steady rate, and write target/load/report.html
    Load(load::Load),
    /// Write how PostgreSQL runs each statement on a million rows into infra/migrations/README.md
    Explain(bench::Explain),
    /// Build the components, and the host that runs them where Spin is not installed
    Build(build::Components),
    /// Hold the running API to its OpenAPI document
    Api,
    /// Hold the double of Upstash to Upstash's own client
    Conformance,
    /// Write components/ops/openapi.json from the code
    Openapi,
    /// Apply infra/migrations to a database
    Migrate(migrate::Migrate),
    /// Check what a deployment would run with
    Deploy(deploy::Deploy),
    /// Back Redis up, verify and restore backups, and rehearse it
    Redis(redis::Redis),
    /// Print a token for a tenant
    Token(token::Token),
}

fn main() -> ExitCode {
    let matches = help::grouped(Arguments::command()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = shell::watch_signals().and_then(|()| match arguments.task {
        Task::Up(up) => up.run(),
        Task::Test(test) => test.run(),
        Task::Soak(soak) => soak.run(),
        Task::Bench(bench) => bench.run(),
        Task::Load(load) => load.run(),
        Task::Explain(explain) => explain.run(),
        Task::Build(components) => components.run(),
        Task::Api => build::run().and_then(|()| api::check(stack::Runtime::Embedded)),
        Task::Conformance => conformance::check(),
        Task::Openapi => shell::run(shell::cargo().args(["run", "--package", "openapi"])),
        Task::Migrate(migrate) => migrate.run(),
        Task::Deploy(deploy) => deploy.run(),
        Task::Redis(redis) => redis.run(),
        Task::Token(token) => token.run(),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if shell::interrupted() => {
            eprintln!("stopped");
            // As a shell reports an end by SIGINT.
            ExitCode::from(130)
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
