//! `cargo xtask load`: the generator and the report of the benchmark, on a host that runs already.

mod rehearsal;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::Args;
use load_plan::Plan;

use crate::build;
use crate::shell::{cargo, run, say};

pub use rehearsal::rehearse;

#[derive(Args)]
pub struct Load {
    #[command(flatten)]
    plan: Plan,
}

impl Load {
    pub fn run(self) -> Result<()> {
        // What can be refused is refused before the work that takes minutes.
        self.plan.destination()?;
        say("building the load generator");
        run(&mut Generator::built(Profile::Release)?.command(self.plan)?)
    }
}

/// The program that sends the requests.
pub struct Generator(PathBuf);

/// How it is built.
pub enum Profile {
    /// For figures.
    Release,
    /// For light loads in tests, which have built most of it.
    Debug,
}

impl Generator {
    /// Builds it.
    pub fn built(profile: Profile) -> Result<Generator> {
        let (folder, flag) = match profile {
            Profile::Release => ("release", Some("--release")),
            Profile::Debug => ("debug", None),
        };
        run(cargo().args(["build", "--package", "bench"]).args(flag))?;
        Ok(Generator(build::target_directory()?.join(folder).join("bench")))
    }

    /// How it carries out this plan.
    pub fn command(&self, plan: Plan) -> Result<Command> {
        let mut command = Command::new(&self.0);
        plan.hand_to(command.arg("load"))?;
        Ok(command)
    }
}
