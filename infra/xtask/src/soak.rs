//! `cargo xtask soak`

use anyhow::{Context, Result};
use clap::Args;

use crate::build;
use crate::packages::WITH_END_TO_END_TESTS;
use crate::shell::{cargo, run, say};
use crate::tools::{Server, ensure_checkers, ensure_servers};
use crate::wasm::Toolchain;

/// The trial of `tests/history` that goes on for as long as it is told, and that of `tests/regions`.
const TRIAL: &str = "no_answer_is_older_than_what_was_answered_before";
const TRIAL_OF_REGIONS: &str = "no_read_is_older_than_its_region_allows";

#[derive(Args)]
pub struct Soak {
    /// For how long
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=24 * 60))]
    minutes: u64,
    /// Three regions instead of one
    #[arg(long)]
    regions: bool,
}

impl Soak {
    /// Runs the history checker under faults for longer than `cargo xtask test` does.
    pub fn run(self) -> Result<()> {
        ensure_servers(&[Server::Redis, Server::Postgres])?;
        ensure_checkers()?;
        build::run_all(&Toolchain::ready()?)?;
        say(format!("checking histories for {} minutes", self.minutes));
        let mut command = cargo();
        let (target, trial, variable) = match self.regions {
            false => ("history", TRIAL, "RENTTRACKER_HISTORY_SECONDS"),
            true => ("region_history", TRIAL_OF_REGIONS, "RENTTRACKER_REGIONS_SECONDS"),
        };
        command.arg("test").args(WITH_END_TO_END_TESTS).args(["--test", target, "--", trial]);
        command.env(variable, (self.minutes * 60).to_string());
        run(&mut command).context("the history has a fault; its seed is above")
    }
}
