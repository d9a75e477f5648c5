//! `cargo xtask bench` and `cargo xtask explain`: what the API does, measured beside the platform's floor and a native
//! peer in the same run, and how PostgreSQL runs each of its statements on a million rows.
//!
//! Machines are shared and noisy, so absolute figures are for the eye alone. What counts are ratios of rounds that were
//! taken by turns.

mod cases;
mod counters;
mod explain;
mod load;
mod measure;
mod report;
mod seed;
mod stage;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};
use stack::Runtime;

use crate::cases::Size;
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
        /// The folder for the report
        #[arg(long)]
        out: PathBuf,
    },
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

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Run { runtime, quick, out } => {
            let runtime = match runtime {
                RuntimeChoice::Embedded => Runtime::Embedded,
                RuntimeChoice::Spin => Runtime::Spin,
            };
            if runtime == Runtime::Spin && stack::spin_on_path().is_none() {
                bail!("there is no spin 4.1 or newer on PATH");
            }
            let size = if quick { Size::quick() } else { Size::full() };
            let report = cases::all(&Stage::start(runtime)?, &size)?;
            print!("{}", report.table());
            report.write(&out).with_context(|| format!("cannot write the report to {}", out.display()))
        }
        Task::Explain { rows } => explain::write(&Stage::start(Runtime::Embedded)?, rows),
    }
}
