//! What is in a backup, read by Redis's own programs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::server::Address;

/// A backup, loaded by a server of its own for as long as this lives.
pub struct Loaded {
    /// How many keys there are.
    pub keys: u64,
    /// The server, which has no other data.
    pub server: Address,
    _redis: stack::Redis,
    _folder: tempfile::TempDir,
}

/// Loads a backup. An error for one that is damaged, cut or empty.
pub fn load(file: &Path) -> Result<Loaded> {
    let length = std::fs::metadata(file).with_context(|| format!("there is no {}", file.display()))?.len();
    ensure!(length > 0, "the file is empty");
    let keys = checked_keys(file)?;
    ensure!(keys > 0, "there is no key in it");
    let folder = tempfile::tempdir()?;
    std::fs::copy(file, folder.path().join("dump.rdb")).context("the backup cannot be read")?;
    // As a replica without a master it keeps expired entries: most of a cache expires within ten minutes, and the backup is
    // of one moment.
    let options = ["--replicaof", "127.0.0.1", "1", "--enable-debug-command", "local"];
    let redis = stack::Redis::start_with(folder.path(), 0, &options).context("Redis cannot load it")?;
    let server = Address::loopback(redis.port())?;
    let loaded = server.keys()?;
    ensure!(loaded == keys, "there are {keys} keys in it, and Redis has loaded {loaded}");
    Ok(Loaded { keys, server, _redis: redis, _folder: folder })
}

/// How many keys `redis-check-rdb` counts.
fn checked_keys(file: &Path) -> Result<u64> {
    let output = Command::new("redis-check-rdb").arg(file).output();
    let output = output.context("redis-check-rdb is missing; `apt-get install redis-tools` brings it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let keys = text.lines().find_map(|line| line.strip_suffix(" keys read")?.rsplit(' ').next()?.parse().ok());
    match keys {
        Some(keys) if output.status.success() => Ok(keys),
        _ => bail!("redis-check-rdb refuses it: {}", reason(&text)),
    }
}

/// What `redis-check-rdb` finds wrong: the line after its headline, or its last one.
fn reason(text: &str) -> String {
    let mut lines = text.lines().skip_while(|line| !line.contains("RDB ERROR DETECTED")).skip(1);
    let line = lines.next().or(text.lines().rfind(|line| !line.trim().is_empty()));
    let line = line.unwrap_or("it says nothing").trim();
    // A newer server's format, or another product's.
    let is_unknown = ["RDB format version", "signature"].iter().any(|words| line.contains(words));
    let hint = "; the tools on this machine must be of the server's product, and at least as new";
    format!("{line}{}", if is_unknown { hint } else { "" })
}

impl Loaded {
    /// A digest of each of these entries, also of those that have run out. An error when one is not there.
    pub fn digests<'a>(&self, keys: impl Iterator<Item = &'a String>) -> Result<BTreeMap<String, String>> {
        let keys: Vec<&String> = keys.collect();
        let mut words = vec!["DEBUG", "DIGEST-VALUE"];
        words.extend(keys.iter().map(|key| key.as_str()));
        let answer = if keys.is_empty() { String::new() } else { self.server.ask(&words)? };
        let digests: Vec<&str> = answer.lines().collect();
        ensure!(digests.len() == keys.len(), "Redis answers {} digests for {} keys", digests.len(), keys.len());
        let pairs = keys.into_iter().zip(digests);
        pairs
            .map(|(key, digest)| {
                ensure!(digest.bytes().any(|byte| byte != b'0'), "the entry {key} is not in it");
                Ok((key.clone(), digest.to_owned()))
            })
            .collect()
    }
}
