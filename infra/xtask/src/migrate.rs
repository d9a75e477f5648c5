//! `cargo xtask migrate`

use anyhow::Result;
use clap::Args;

use crate::dev::Dev;
use crate::shell::say;

#[derive(Args)]
pub struct Migrate {
    /// Which database; without it, the one that `cargo xtask up` has started
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
}

impl Migrate {
    pub fn run(self) -> Result<()> {
        let url = match self.database_url {
            Some(url) => url,
            None => Dev::open()?.facts()?.admin_database_url,
        };
        apply(&url)
    }
}

/// Migrates and tells what was done.
pub fn apply(database_url: &str) -> Result<()> {
    let applied = stack::migrate(database_url)?;
    if applied.is_empty() {
        say("the schema is up to date");
    }
    for name in applied {
        say(format!("applied {name}"));
    }
    for remark in stack::remarks(database_url)? {
        say(format!("note: {remark}"));
    }
    Ok(())
}
