//! `cargo xtask bench`, `load` and `explain`: what the API does, measured beside the platform's floor, a sample and peers
//! in the same run; what a host somewhere else does under a load; and how PostgreSQL runs each of the API's statements
//! on a million rows.
//!
//! Machines are shared and noisy, so absolute figures are for the eye alone. What counts are ratios of rounds that were
//! taken by turns.

mod cases;
mod counters;
mod explain;
mod load;
mod measure;
mod process;
mod report;
mod results;
mod seed;
mod stage;
mod staging;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};
use stack::Runtime;

use crate::cases::{Case, Size};
use crate::stage::Stage;

#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure, print a table, and write report.html and report.json
    Run {
        /// What runs the components
        #[arg(long, value_enum, default_value_t = RuntimeChoice::Embedded)]
        runtime: RuntimeChoice,
        /// Fewer rounds, shorter rounds and fewer rows: within three minutes
        #[arg(long)]
        quick: bool,
        /// These cases alone, separated by commas
        #[arg(long, value_enum, value_delimiter = ',')]
        only: Vec<Case>,
        /// Node.js, and the peer that it runs; without them that peer is left out
        #[arg(long, num_args = 2, value_names = ["NODE", "SCRIPT"])]
        node_peer: Vec<PathBuf>,
        /// The folder for the report
        #[arg(long)]
        out: PathBuf,
    },
    /// Load a host as the plan in the environment says
    Load,
    /// Explain every statement at a million rows, in infra/migrations/README.md
    Explain {
        /// How many properties there are
        #[arg(long, default_value_t = 1_000_000)]
        rows: i64,
    },
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum RuntimeChoice {
    Embedded,
    Spin,
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Run { runtime, quick, only, node_peer, out } => {
            let runtime = match runtime {
                RuntimeChoice::Embedded => Runtime::Embedded,
                RuntimeChoice::Spin => Runtime::Spin,
            };
            if runtime == Runtime::Spin && stack::spin_on_path().is_none() {
                bail!("there is no spin 4.0 or newer on PATH");
            }
            let size = if quick { Size::quick() } else { Size::full() };
            let mut stage = Stage::start(runtime)?;
            stage.node_peer = <[PathBuf; 2]>::try_from(node_peer).ok();
            let report = cases::measure(&stage, &only, &size)?;
            print!("{}", report.table());
            report.write(&out).with_context(|| format!("cannot write the report to {}", out.display()))
        }
        Task::Load => staging::run(&load_plan::Plan::handed()?),
        Task::Explain { rows } => explain::write(&Stage::start(Runtime::Embedded)?, rows),
    }
}
