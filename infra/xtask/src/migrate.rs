//! `cargo xtask migrate`

use std::fmt;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::dev::Dev;
use crate::report::Report;

#[derive(Args)]
pub struct Migrate {
    /// Which database; without it, the one that `cargo xtask up` has started
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
}

/// What was done to a database, which is now up to date.
#[derive(Serialize)]
pub struct Migrated {
    /// The migrations that it lacked.
    applied: Vec<String>,
    /// What works, but not as well as it could.
    notes: Vec<String>,
}

impl Migrate {
    pub fn run(self) -> Result<Migrated> {
        let url = match self.database_url {
            Some(url) => url,
            None => Dev::open()?.facts()?.admin_database_url,
        };
        apply(&url)
    }
}

/// Migrates.
pub fn apply(database_url: &str) -> Result<Migrated> {
    Ok(Migrated { applied: stack::migrate(database_url)?, notes: stack::remarks(database_url)? })
}

impl fmt::Display for Migrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let applied = self.applied.iter().map(|name| format!("applied {name}"));
        let notes = self.notes.iter().map(|note| format!("note: {note}"));
        let nothing = self.applied.is_empty().then(|| "the schema is up to date".to_owned());
        f.write_str(&nothing.into_iter().chain(applied).chain(notes).collect::<Vec<_>>().join("\n"))
    }
}

impl Report for Migrated {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report;

    #[test]
    fn what_was_applied_is_told_and_that_nothing_was() {
        let migrated = |applied: &[&str], notes: &[&str]| Migrated {
            applied: applied.iter().map(|&it| it.into()).collect(),
            notes: notes.iter().map(|&it| it.into()).collect(),
        };
        let some = migrated(&["0001_a.sql", "0002_b.sql"], &["slow"]);
        assert_eq!(some.to_string(), "applied 0001_a.sql\napplied 0002_b.sql\nnote: slow");
        assert_eq!(migrated(&[], &[]).to_string(), "the schema is up to date");
        report::tests::check("migrate", &some, json!({ "applied": ["0001_a.sql", "0002_b.sql"], "notes": ["slow"] }));
    }
}
