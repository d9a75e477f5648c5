//! `cargo xtask redis restore`

use std::fmt;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use clap::Args;
use nix::unistd::geteuid;
use serde::Serialize;

use super::backups::sha256;
use super::verify::verify;
use crate::report::Report;

/// Where a Redis with `appendonly yes` looks at its start; it does not look at `dump.rdb` then.
const APPEND_ONLY: &str = "appendonlydir";
const BASE: &str = "appendonly.aof.1.base.rdb";
const LIST: &str = "appendonly.aof.manifest";
const SNAPSHOT: &str = "dump.rdb";

#[derive(Args)]
pub struct Restore {
    /// The backup
    pub backup: PathBuf,
    /// Where the stopped Redis keeps its data (`dir` in redis.conf)
    #[arg(long, value_name = "FOLDER")]
    pub data: PathBuf,
}

/// What was restored.
#[derive(Debug, Serialize)]
pub struct Restored {
    keys: u64,
    data: PathBuf,
    /// Where that is which was there before.
    former: PathBuf,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Restored { keys, data, former } = self;
        writeln!(f, "{keys} keys are in {}; what was there is in {}", data.display(), former.display())?;
        f.write_str(
            "start Redis: it is another one than before, so the epoch moves and no entry from the backup is served",
        )
    }
}

impl Report for Restored {}

impl Restore {
    /// Verifies the backup, and only then puts it in place of the data. What was there is kept beside it.
    pub fn run(self) -> Result<Restored> {
        let data = &self.data;
        ensure!(data.is_dir(), "there is no folder {}", data.display());
        if let Some(pid) = working_in(data) {
            let folder = data.display();
            anyhow::bail!("process {pid} works in {folder}: stop Redis first, or it overwrites what is restored");
        }
        let (manifest, _) = verify(&self.backup)?;
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string().replace(':', "");
        let fresh = data.join(format!("restoring-{time}"));
        let prepared = self.prepare(&fresh, &manifest.sha256);
        if prepared.is_err() {
            let _ = std::fs::remove_dir_all(&fresh);
        }
        prepared.context("nothing was changed")?;
        let former = data.join(format!("before-{time}"));
        std::fs::create_dir(&former)?;
        for name in [APPEND_ONLY, SNAPSHOT] {
            let current = data.join(name);
            if current.exists() {
                std::fs::rename(&current, former.join(name))?;
            }
            std::fs::rename(fresh.join(name), current)?;
        }
        std::fs::remove_dir(&fresh)?;
        own_as(data, &former)?;
        Ok(Restored { keys: manifest.keys, data: self.data, former })
    }

    fn prepare(&self, fresh: &Path, digest: &str) -> Result<()> {
        let append_only = fresh.join(APPEND_ONLY);
        std::fs::create_dir_all(&append_only)?;
        for copy in [append_only.join(BASE), fresh.join(SNAPSHOT)] {
            std::fs::copy(&self.backup, &copy)?;
            std::fs::File::open(&copy)?.sync_all()?;
            ensure!(sha256(&copy)? == digest, "the copy in {} is damaged", copy.display());
        }
        std::fs::write(append_only.join(LIST), format!("file {BASE} seq 1 type b\n"))?;
        own_as(&self.data, fresh)
    }
}

/// The process whose working folder this is, as that of a Redis is its data.
fn working_in(folder: &Path) -> Option<u32> {
    let folder = folder.canonicalize().ok()?;
    std::fs::read_dir("/proc").ok()?.find_map(|entry| {
        let path = entry.ok()?.path();
        let pid = path.file_name()?.to_str()?.parse().ok()?;
        let name = std::fs::read_to_string(path.join("comm")).ok()?;
        let is_server = name.starts_with("redis") || name.starts_with("valkey");
        (is_server && std::fs::read_link(path.join("cwd")).ok()? == folder).then_some(pid)
    })
}

/// Gives `path` and what is in it to the owner of `folder`, which is whom Redis runs as.
fn own_as(folder: &Path, path: &Path) -> Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let owner = std::fs::metadata(folder)?;
    chown(path, Some(owner.uid()), Some(owner.gid()))?;
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            own_as(folder, &entry?.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report;

    #[test]
    fn what_was_restored_is_told_with_where_the_former_data_are() {
        let restored = Restored { keys: 9, data: "data".into(), former: "data/before".into() };
        assert!(restored.to_string().starts_with("9 keys are in data; what was there is in data/before\n"));
        let expected = json!({ "keys": 9, "data": "data", "former": "data/before" });
        report::tests::check("redis restore", &restored, expected);
    }
}
