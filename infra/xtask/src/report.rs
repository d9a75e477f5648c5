//! What a command has found out: for people, or with `--json` as one JSON document. `README.md` has the members of each.

use std::fmt::Display;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use crate::shell::say;

/// A report. Programs read it: members are added, and none is renamed, removed or of another meaning.
pub trait Report: Serialize + Display {
    /// The error that the command ends with after it has reported, if something is wrong.
    fn verdict(self) -> Result<()>
    where
        Self: Sized,
    {
        Ok(())
    }
}

/// A command that reports.
#[derive(Args)]
pub struct Reporting<T: Args> {
    #[command(flatten)]
    task: T,
    /// Print the report as one JSON document on stdout, and everything else on stderr
    #[arg(long)]
    json: bool,
}

impl<T: Args> Reporting<T> {
    /// Does the task and prints what has come of it.
    pub fn run<R: Report>(self, work: impl FnOnce(T) -> Result<R>) -> Result<()> {
        let mut stdout = if self.json { claim_stdout()? } else { own_stdout()? };
        let report = work(self.task)?;
        let text = if self.json { serde_json::to_string_pretty(&report)? } else { report.to_string() };
        print(&mut stdout, &text)?;
        report.verdict()
    }
}

/// Tells a report within another command's progress.
pub fn tell(report: impl Report) -> Result<()> {
    report.to_string().lines().for_each(say);
    report.verdict()
}

/// Writes a line; whether it may go on. A reader that has read enough, as `head` does, is no error.
pub fn print(to: &mut impl Write, line: &str) -> Result<bool> {
    match to.write_all(format!("{line}\n").as_bytes()).and_then(|()| to.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("cannot write to stdout"),
    }
}

/// Our stdout, as a file.
pub fn own_stdout() -> Result<File> {
    Ok(std::io::stdout().as_fd().try_clone_to_owned()?.into())
}

/// Our stdout. What we and the programs that we start print from now on goes to stderr, so that the document is alone on stdout.
fn claim_stdout() -> Result<File> {
    let stdout = own_stdout()?;
    nix::unistd::dup2_stdout(std::io::stderr()).context("cannot lead stdout to stderr")?;
    Ok(stdout)
}

/// For the tests of each report.
#[cfg(test)]
pub mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// Where the members of each report stand, in rows that begin with the command.
    const README: &str = "infra/xtask/README.md";

    /// Passes a report that is `expected` as JSON, and whose members are those that `README.md` has for `command`.
    #[track_caller]
    pub fn check(command: &str, report: &impl Report, expected: Value) {
        assert_eq!(serde_json::to_value(report).expect("JSON"), expected);
        let readme = std::fs::read_to_string(stack::repository_root().join(README)).expect(README);
        let start = format!("| `{command} --json` |");
        let row = readme.lines().find_map(|line| line.strip_prefix(start.as_str()));
        let row = row.unwrap_or_else(|| panic!("{README} has no row for {command}"));
        let documented: BTreeSet<String> = row.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let mut members = BTreeSet::new();
        collect(&expected, &mut members);
        assert_eq!(members, documented, "{command}");
    }

    fn collect(value: &Value, members: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => object.iter().for_each(|(name, value)| {
                members.insert(name.clone());
                collect(value, members);
            }),
            Value::Array(items) => items.iter().for_each(|item| collect(item, members)),
            _ => {}
        }
    }

    #[test]
    fn a_reader_that_has_gone_ends_the_output_and_is_no_error() {
        struct Closed(ErrorKind);
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        assert!(!print(&mut Closed(ErrorKind::BrokenPipe), "a line").expect("no error"));
        assert!(print(&mut Closed(ErrorKind::StorageFull), "a line").is_err());
        let mut written = Vec::new();
        assert!(print(&mut written, "a line").expect("written"));
        assert_eq!(written, b"a line\n");
    }
}
