//! `cargo xtask load`: the generator and the report of the benchmark, on a host that runs already.

mod rehearsal;

use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use load_plan::Plan;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::build;
use crate::compile::Build;
use crate::measured::Measured;
use crate::shell::say;

pub use rehearsal::{counts, plan, rehearse};

/// Where the report is put, unless the plan says otherwise.
const OUT: &str = "target/load";

#[derive(Args)]
pub struct Load {
    #[command(flatten)]
    plan: Plan,
}

impl Load {
    pub fn run(self) -> Result<Measured> {
        // What can be refused is refused before the work that takes minutes.
        self.plan.destination()?;
        let out = self.plan.out.clone().unwrap_or_else(|| stack::repository_root().join(OUT));
        say("building the load generator");
        let plan = Plan { out: Some(out.clone()), ..self.plan };
        Measured::by(&mut Generator::built(Profile::Release)?.command(plan)?, &out)
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
        let (folder, profile) = match profile {
            Profile::Release => ("release", "release"),
            Profile::Debug => ("debug", "dev"),
        };
        Build { packages: &["bench"], profile, target: None, feature: None }.run()?;
        Ok(Generator(build::target_directory()?.join(folder).join("bench")))
    }

    /// How it carries out this plan.
    pub fn command(&self, plan: Plan) -> Result<Command> {
        let mut command = Command::new(&self.0);
        plan.hand_to(command.arg("load"))?;
        Ok(command)
    }

    /// Carries out this plan in the background; returns once requests are sent.
    pub fn start(&self, plan: Plan) -> Result<Running> {
        let progress = format!("/s of {}", plan.rate);
        let mut child = self.command(plan)?.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stderr.take().context("a pipe")?).lines();
        let begun = lines.by_ref().map_while(Result::ok).any(|line| line.contains(&progress));
        let running = Running { child, lines };
        if begun { Ok(running) } else { Err(anyhow!("the load did not begin")) }
    }
}

/// A load under way. Dropped, it is ended as it stands.
pub struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Running {
    /// Interrupts it, as Ctrl-C does: by the terminal's signal, and by the one that `cargo xtask load` hands on. Waits for its
    /// report. An error unless it ends well.
    pub fn interrupt(mut self) -> Result<()> {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            kill(Pid::from_raw(self.child.id().cast_signed()), signal)?;
        }
        let rest: Vec<String> = self.lines.by_ref().map_while(Result::ok).collect();
        let status = self.child.wait()?;
        ensure!(status.success(), "interrupted, the load ended with {status}:\n{}", rest.join("\n"));
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its properties stay behind, on servers that go as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
