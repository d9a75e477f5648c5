//! `cargo xtask redis verify`: whether backups can be restored.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;

use super::backups::{self, Manifest, manifest_path, sha256};
use super::inspect::{self, Loaded};
use crate::report::Report;
use crate::shell::{check_interrupted, say};

#[derive(Args)]
pub struct Verify {
    /// A folder of backups, of which each is verified, or one backup
    pub path: PathBuf,
}

/// What was found of each backup.
#[derive(Serialize)]
pub struct Verified {
    backups: Vec<Judged>,
}

#[derive(Serialize)]
struct Judged {
    backup: PathBuf,
    good: bool,
    /// Of a good one.
    keys: Option<u64>,
    taken_at: Option<String>,
    /// Why it cannot be restored.
    problem: Option<String>,
}

impl Verify {
    pub fn run(self) -> Result<Verified> {
        let paths = if self.path.is_dir() { backups::all(&self.path)? } else { vec![self.path.clone()] };
        ensure!(!paths.is_empty(), "there is no backup in {}", self.path.display());
        let mut backups = Vec::new();
        for backup in paths {
            check_interrupted()?;
            say(format!("verifying {}", backup.display()));
            backups.push(Judged::of(verify(&backup).map(|(manifest, _)| manifest), backup));
        }
        Ok(Verified { backups })
    }
}

impl Judged {
    fn of(verified: Result<Manifest>, backup: PathBuf) -> Judged {
        match verified {
            Ok(Manifest { keys, taken_at, .. }) => {
                Judged { backup, good: true, keys: Some(keys), taken_at: Some(taken_at), problem: None }
            }
            Err(error) => {
                Judged { backup, good: false, keys: None, taken_at: None, problem: Some(format!("{error:#}")) }
            }
        }
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |it: &Judged| match (&it.problem, it.keys, &it.taken_at) {
            (None, Some(keys), Some(taken_at)) => {
                format!("{}: good, {keys} keys, taken at {taken_at}", it.backup.display())
            }
            (problem, ..) => problem.clone().unwrap_or_default(),
        };
        f.write_str(&self.backups.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

impl Report for Verified {
    fn verdict(self) -> Result<()> {
        let bad = self.backups.iter().filter(|backup| !backup.good).count();
        ensure!(bad == 0, "{bad} of {} backups cannot be restored", self.backups.len());
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::report;

    #[test]
    fn one_bad_backup_of_two_fails_and_both_are_told() {
        let manifest = Manifest {
            taken_at: "2026-01-01T00:00:00Z".into(),
            keys: 9,
            sha256: "0f".into(),
            entries: BTreeMap::new(),
        };
        let good = Judged::of(Ok(manifest), "a.rdb".into());
        let bad = Judged::of(Err(anyhow::anyhow!("the file is empty")), "b.rdb".into());
        let verified = Verified { backups: vec![good, bad] };
        assert_eq!(verified.to_string(), "a.rdb: good, 9 keys, taken at 2026-01-01T00:00:00Z\nthe file is empty");
        let expected = json!({ "backups": [
            { "backup": "a.rdb", "good": true, "keys": 9, "taken_at": "2026-01-01T00:00:00Z", "problem": null },
            { "backup": "b.rdb", "good": false, "keys": null, "taken_at": null, "problem": "the file is empty" },
        ] });
        report::tests::check("redis verify", &verified, expected);
        assert_eq!(verified.verdict().expect_err("one is bad").to_string(), "1 of 2 backups cannot be restored");
    }
}
