//! The workflows in `.github`: that GitHub runs them, and that they give nothing away.

use std::process::Command;

use anyhow::{Context, Result};

use super::tools::tools;
use crate::shell::run;

/// Where they are, below the repository.
const FOLDER: &str = ".github/workflows";
/// Below it are matters of taste, such as a syntax that actionlint does not know yet.
const SEVERITY: &str = "medium";

/// Checks them all: syntax, expressions and shell commands, then permissions, credentials and the pins of actions.
pub fn check() -> Result<()> {
    let tools = tools()?;
    let here = |program: &str| {
        let mut command = Command::new(tools.join(program));
        command.current_dir(stack::repository_root());
        command
    };
    run(here("actionlint").arg("-shellcheck").arg(tools.join("shellcheck")))
        .context("GitHub would not run a workflow as it is meant")?;
    // Offline: nothing is looked up at GitHub.
    run(here("zizmor").args(["--offline", "--quiet", "--min-severity", SEVERITY, FOLDER]))
        .context("a workflow gives away more than it must")
}
