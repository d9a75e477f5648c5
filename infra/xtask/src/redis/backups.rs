//! The backups in a folder: `redis-TIME.rdb`, and beside it `redis-TIME.json` with what must be in it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const BUFFER: usize = 64 * 1024;

/// What was known about a backup when it was taken.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// RFC 3339.
    pub taken_at: String,
    /// How many keys there are.
    pub keys: u64,
    /// Of the file.
    pub sha256: String,
    /// Some of its entries, and what Redis makes of each (`DEBUG DIGEST-VALUE`).
    pub entries: BTreeMap<String, String>,
}

/// The file beside a backup that says what must be in it.
pub fn manifest_path(backup: &Path) -> PathBuf {
    backup.with_extension("json")
}

/// The backups of a folder, the oldest first.
pub fn all(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot look into {}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("redis-") && name.ends_with(".rdb") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The hexadecimal SHA-256 of a file.
pub fn sha256(file: &Path) -> Result<String> {
    let mut input = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; BUFFER]);
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            length => hash.update(&buffer[..length]),
        }
    }
}

/// Removes the backups that are older than so many days, but never the newest; what was removed.
pub fn prune(folder: &Path, days: u32, now: SystemTime) -> Result<Vec<PathBuf>> {
    let mut backups = all(folder)?;
    backups.pop();
    let is_old = |backup: &PathBuf| {
        let text = std::fs::read_to_string(manifest_path(backup)).ok()?;
        let manifest: Manifest = serde_json::from_str(&text).ok()?;
        let taken_at = humantime::parse_rfc3339(&manifest.taken_at).ok()?;
        Some(now.duration_since(taken_at).ok()? > DAY * days)
    };
    // One that does not say when it was taken is left for a person to look at.
    backups.retain(|backup| is_old(backup) == Some(true));
    for backup in &backups {
        std::fs::remove_file(backup).with_context(|| format!("cannot remove {}", backup.display()))?;
        std::fs::remove_file(manifest_path(backup))?;
    }
    Ok(backups)
}
