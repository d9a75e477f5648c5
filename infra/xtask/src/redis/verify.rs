//! `cargo xtask redis verify`

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use super::kept;
use crate::shell::{check_interrupted, say};

#[derive(Args)]
pub struct Verify {
    /// A folder of backups, of which each is verified, or one backup
    pub path: PathBuf,
}

impl Verify {
    pub fn run(self) -> Result<()> {
        let backups = if self.path.is_dir() { kept::all(&self.path)? } else { vec![self.path.clone()] };
        ensure!(!backups.is_empty(), "there is no backup in {}", self.path.display());
        let mut bad = 0;
        for backup in &backups {
            check_interrupted()?;
            match kept::verify(backup) {
                Ok((manifest, _)) => {
                    say(format!("{}: good, {} keys, taken at {}", backup.display(), manifest.keys, manifest.taken_at));
                }
                Err(error) => {
                    say(format!("{error:#}"));
                    bad += 1;
                }
            }
        }
        ensure!(bad == 0, "{bad} of {} backups cannot be restored", backups.len());
        Ok(())
    }
}
