//! `cargo xtask doctor`: what this machine has and lacks for `up` and `test`. It installs nothing.

mod diagnosis;
mod facts;
mod probe;
#[cfg(test)]
mod tests;

use std::fmt;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::report::Report;
use crate::up;

#[derive(Args)]
pub struct Doctor {
    /// Where `up` is to serve
    #[arg(long, default_value = up::LISTEN)]
    listen: String,
}

/// What was looked at.
#[derive(Serialize)]
pub struct Diagnosis {
    /// Whether `up` has all that it needs.
    ready: bool,
    checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, PartialEq, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// The command that mends it, where something is wrong.
    mend: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Tests lack it, or `up` goes another way.
    Warning,
    /// `up` lacks it.
    Error,
}

impl Doctor {
    pub fn run(self) -> Result<Diagnosis> {
        Ok(diagnosis::diagnose(&probe::facts(&self.listen)?))
    }
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Error => "error",
        }
    }
}

impl Diagnosis {
    fn of(checks: Vec<Check>) -> Diagnosis {
        Diagnosis { ready: checks.iter().all(|check| check.state != State::Error), checks }
    }

    fn errors(&self) -> usize {
        self.checks.iter().filter(|check| check.state == State::Error).count()
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
        for Check { name, state, found, mend } in &self.checks {
            writeln!(f, "{:7}  {name:width$}  {found}", state.name())?;
            if let Some(mend) = mend {
                writeln!(f, "         mend it: {mend}")?;
            }
        }
        match self.errors() {
            0 => f.write_str("`cargo xtask up` has what it needs"),
            count => write!(f, "`cargo xtask up` lacks {count} of what it needs"),
        }
    }
}

impl Report for Diagnosis {
    fn verdict(self) -> Result<()> {
        ensure!(
            self.ready,
            "this machine is not ready for `cargo xtask up`: each error above has the command that mends it"
        );
        Ok(())
    }
}
