//! What the program of the benchmark reports: a table on its stdout, and `report.json`.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use crate::report::Report;
use crate::shell::run_printing;

/// A measurement that came to its end.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Measured {
    /// `report.json`
    report: Value,
    #[serde(skip)]
    table: String,
    /// An error if requests failed and none might.
    #[serde(skip)]
    ended: Result<()>,
}

impl Measured {
    /// Runs the program, which writes its report into `folder`.
    pub fn by(command: &mut Command, folder: &Path) -> Result<Measured> {
        let file = folder.join("report.json");
        // One of an earlier run must not be taken for this one's.
        let _ = std::fs::remove_file(&file);
        let (table, ended) = run_printing(command)?;
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok(Measured { report: serde_json::from_str(&text)?, table, ended }),
            Err(error) => {
                ended?;
                Err(error).with_context(|| format!("the program left no {}", file.display()))
            }
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.table.trim_end())
    }
}

impl Report for Measured {
    fn verdict(self) -> Result<()> {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report;

    fn shell(script: &str, folder: &Path) -> Result<Measured> {
        Measured::by(Command::new("sh").args(["-c", script]).current_dir(folder), folder)
    }

    #[test]
    fn a_measurement_with_failures_is_reported_and_fails() {
        let folder = tempfile::tempdir().expect("a folder");
        let report = json!({
            "facts": {}, "load_generator": "", "targets": [{ "name": "", "wanted": "", "got": 1, "met": true }],
            "sections": [{ "title": "", "notes": [], "data": {} }],
        });
        std::fs::write(folder.path().join("new"), report.to_string()).expect("written");
        let measured = shell("echo a table; mv new report.json; exit 1", folder.path()).expect("a report");
        assert_eq!(measured.to_string(), "a table");
        for command in ["bench", "load"] {
            report::tests::check(command, &measured, report.clone());
        }
        assert!(measured.verdict().is_err());
    }

    #[test]
    fn the_report_of_an_earlier_run_is_not_taken_for_this_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("report.json"), "{}").expect("written");
        assert!(shell("exit 1", folder.path()).is_err());
    }
}
