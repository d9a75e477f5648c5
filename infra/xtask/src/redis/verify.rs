//! `cargo xtask redis verify`: whether backups can be restored.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::backups::{self, Manifest, manifest_path, sha256};
use super::inspect::{self, Loaded};
use crate::shell::{check_interrupted, say};

#[derive(Args)]
pub struct Verify {
    /// A folder of backups, of which each is verified, or one backup
    pub path: PathBuf,
}

impl Verify {
    pub fn run(self) -> Result<()> {
        let backups = if self.path.is_dir() { backups::all(&self.path)? } else { vec![self.path.clone()] };
        ensure!(!backups.is_empty(), "there is no backup in {}", self.path.display());
        let mut bad = 0;
        for backup in &backups {
            check_interrupted()?;
            match verify(backup) {
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

/// Compares a backup with its manifest: the file byte for byte, its keys, and its entries as a server loads them.
pub fn verify(backup: &Path) -> Result<(Manifest, Loaded)> {
    let verified = || {
        let path = manifest_path(backup);
        // First, because Redis's error on a damaged file says more than a digest that differs.
        let loaded = inspect::load(backup)?;
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{} is missing, so what must be in it is unknown", path.display()))?;
        let manifest: Manifest =
            serde_json::from_str(&text).with_context(|| format!("{} cannot be read", path.display()))?;
        ensure!(sha256(backup)? == manifest.sha256, "it is not the file that was taken");
        ensure!(loaded.keys == manifest.keys, "it has {} keys; {} were taken", loaded.keys, manifest.keys);
        let digests = loaded.digests(manifest.entries.keys())?;
        let other = digests.iter().find(|(key, digest)| manifest.entries.get(*key) != Some(*digest));
        ensure!(other.is_none(), "the entry {} is another one than was taken", other.map_or("", |(key, _)| key));
        Ok((manifest, loaded))
    };
    verified().with_context(|| format!("{} is no good backup", backup.display()))
}
