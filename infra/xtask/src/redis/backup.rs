//! `cargo xtask redis backup`

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{DirBuilder, File, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;

use super::backups::{self, Manifest, manifest_path, sha256};
use super::inspect::{self, Loaded};
use super::server::{Address, Seen};
use crate::report::Report;
use crate::shell::say;

/// Tenants' data: for the owner alone.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

#[derive(Args)]
pub struct Backup {
    #[command(flatten)]
    pub redis: Address,
    /// Where backups are kept
    #[arg(long)]
    pub folder: PathBuf,
    /// For how long a backup is kept
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..), value_name = "DAYS")]
    pub keep: u32,
    /// Copy this server though it is a master: a Sentinel that watches it then remembers the copy as a replica on port 0
    #[arg(long)]
    pub from_master: bool,
}

/// What was backed up.
#[derive(Debug, Default, Serialize)]
pub struct Taken {
    /// `None` when there was nothing to back up: at night a cache can be empty, and the older backups stay.
    pub backup: Option<PathBuf>,
    /// How many keys are in it, and how many of them were compared entry by entry.
    keys: u64,
    compared: usize,
    /// Backups that were too old.
    removed: Vec<PathBuf>,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Taken { backup, keys, compared, removed } = self;
        let Some(backup) = backup else { return f.write_str("Redis has no keys: there is nothing to back up") };
        write!(f, "{}: {keys} keys, {compared} of them compared entry by entry", backup.display())?;
        removed.iter().try_for_each(|backup| write!(f, "\n{}: removed, it is too old", backup.display()))
    }
}

impl Report for Taken {}

impl Backup {
    pub fn run(self) -> Result<Taken> {
        self.take(SystemTime::now())
    }

    /// Takes a backup, verifies it and only then removes older ones.
    pub fn take(&self, now: SystemTime) -> Result<Taken> {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&self.folder)?;
        let taken_at = humantime::format_rfc3339_seconds(now).to_string();
        let backup = self.folder.join(format!("redis-{}.rdb", taken_at.replace(':', "")));
        ensure!(!backup.exists(), "{} is there already", backup.display());
        let partial = backup.with_extension("partial");
        let taken = self.copy(&partial, &taken_at).and_then(|manifest| {
            let Some(manifest) = manifest else {
                return Ok(None);
            };
            write_durably(&manifest_path(&backup), &serde_json::to_vec_pretty(&manifest)?)?;
            std::fs::rename(&partial, &backup)?;
            File::open(&self.folder)?.sync_all()?;
            Ok(Some(manifest))
        });
        // It is there when something has failed.
        let _ = std::fs::remove_file(&partial);
        let Some(manifest) = taken? else { return Ok(Taken::default()) };
        let removed = backups::prune(&self.folder, self.keep, now)?;
        Ok(Taken { backup: Some(backup), keys: manifest.keys, compared: manifest.entries.len(), removed })
    }

    fn copy(&self, file: &Path, taken_at: &str) -> Result<Option<Manifest>> {
        let redis = if self.from_master { self.redis.clone() } else { self.redis.source()? };
        say(format!("copying Redis at {}", redis.name()));
        let before = redis.sample()?;
        redis.copy_to(file)?;
        std::fs::set_permissions(file, Permissions::from_mode(FILE_MODE))?;
        let (after, looked_at) = (redis.look_at(before.keys())?, Instant::now());
        if after.is_empty() && redis.keys()? == 0 {
            return Ok(None);
        }
        let loaded = inspect::load(file).context("the copy of Redis is no good backup")?;
        let steady = steady(&before, &after);
        compare(&loaded, &steady, looked_at)?;
        let entries = loaded.digests(steady.keys())?;
        File::open(file)?.sync_all()?;
        Ok(Some(Manifest { taken_at: taken_at.into(), keys: loaded.keys, sha256: sha256(file)?, entries }))
    }
}

/// The entries that were the same before and after the copy was made, and so must be in it.
fn steady(before: &BTreeMap<String, Seen>, after: &BTreeMap<String, Seen>) -> BTreeMap<String, Seen> {
    // With more time to live than before it is another one that says the same: between the two there may have been none.
    let is_it = |then: &Seen, seen: &Seen| then.digest == seen.digest && seen.to_live_ms <= then.to_live_ms;
    let is_same = |(key, seen): &(&String, &Seen)| before.get(*key).is_some_and(|then| is_it(then, seen));
    after.iter().filter(is_same).map(|(key, seen)| (key.clone(), seen.clone())).collect()
}

/// Each entry must be in the copy as it is in Redis; one that may have run out since only has to be there.
fn compare(loaded: &Loaded, steady: &BTreeMap<String, Seen>, looked_at: Instant) -> Result<()> {
    let found = loaded.server.look_at(steady.keys())?;
    let passed = i64::try_from(looked_at.elapsed().as_millis())?;
    for (key, seen) in steady {
        let has_run_out = seen.to_live_ms >= 0 && seen.to_live_ms <= passed;
        match found.get(key) {
            Some(copy) => ensure!(copy.digest == seen.digest, "the entry {key} is not in the copy as it is in Redis"),
            None => ensure!(has_run_out, "the entry {key} is not in the copy"),
        }
    }
    Ok(())
}

fn write_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    std::fs::set_permissions(path, Permissions::from_mode(FILE_MODE))?;
    Ok(File::open(path)?.sync_all()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report;

    #[test]
    fn a_backup_is_told_and_that_there_was_nothing_to_back_up() {
        let taken = Taken { backup: Some("b.rdb".into()), keys: 9, compared: 4, removed: vec!["a.rdb".into()] };
        let expected = "b.rdb: 9 keys, 4 of them compared entry by entry\na.rdb: removed, it is too old";
        assert_eq!(taken.to_string(), expected);
        let expected = json!({ "backup": "b.rdb", "keys": 9, "compared": 4, "removed": ["a.rdb"] });
        report::tests::check("redis backup", &taken, expected);
        assert_eq!(Taken::default().to_string(), "Redis has no keys: there is nothing to back up");
    }

    #[test]
    fn an_entry_that_was_deleted_and_stored_anew_while_the_copy_was_made_need_not_be_in_it() {
        let seen =
            |digest: &str, to_live_ms| BTreeMap::from([("key".to_owned(), Seen { digest: digest.into(), to_live_ms })]);
        let check = |before, after, expected| assert_eq!(steady(&before, &after).len(), expected);
        check(seen("a", 5_000), seen("a", 4_900), 1);
        check(seen("a", -1), seen("a", -1), 1);
        check(seen("a", 5_000), seen("b", 4_900), 0);
        check(seen("a", 5_000), seen("a", 9_000), 0);
        check(BTreeMap::new(), seen("a", 9_000), 0);
    }
}
