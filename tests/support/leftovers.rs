//! What must not stay behind.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

/// The longest that any key may live.
const LONGEST_TTL_MS: i64 = 900_000;

/// Keys that break the rule: `[lock:]{instance}{tenant}:…` or `{instance}~…`, each with a TTL of at most 900 s. The instance may be in
/// braces, as with `redis_hash_tags`.
pub fn unruly_keys(redis_url: &str, instance: &str) -> Result<Vec<String>> {
    let mut redis = redis::Client::open(redis_url)?.get_connection()?;
    let mut keys = Vec::new();
    let mut cursor = 0_u64;
    loop {
        let (next, page): (u64, Vec<Vec<u8>>) =
            redis::cmd("SCAN").arg(cursor).arg("COUNT").arg(1000).query(&mut redis)?;
        keys.extend(page);
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    let mut unruly = Vec::new();
    for key in keys {
        // -2: it ran out meanwhile.
        let ttl: i64 = redis::cmd("PTTL").arg(&key).query(&mut redis)?;
        let name = String::from_utf8_lossy(&key);
        if !well_named(&name, instance) {
            unruly.push(format!("{name}: not a key of this instance and a tenant"));
        } else if ttl != -2 && !(0..=LONGEST_TTL_MS).contains(&ttl) {
            unruly.push(format!("{name}: its TTL is {ttl} ms"));
        }
    }
    Ok(unruly)
}

fn well_named(key: &str, instance: &str) -> bool {
    let (key, instance) = (&key.replace(['{', '}'], ""), instance.trim_matches(['{', '}']));
    let own = |key: &str| key.strip_prefix(instance).is_some_and(|rest| rest.starts_with('~'));
    let Some(rest) = key.strip_prefix("lock:").unwrap_or(key).strip_prefix(instance) else {
        return false;
    };
    let tenant = rest.split_once(':').map_or("", |(tenant, _)| tenant);
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    own(key) || ((1..=64).contains(&tenant.len()) && tenant.chars().all(valid))
}

/// Invalidations that nobody has made, after some time for those that follow an answer.
pub fn outbox(database_url: &str) -> Result<Option<String>> {
    let mut sql = postgres::Client::connect(database_url, postgres::NoTls)?;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let rows: i64 = sql.query_one("SELECT count(*) FROM cache_invalidations", &[])?.get(0);
        if rows == 0 {
            return Ok(None);
        }
        if Instant::now() >= deadline {
            return Ok(Some(format!("{rows} rows in the outbox")));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Processes that still work in or on `folder`, after some time to end by themselves.
pub fn processes_in(folder: &Path) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let found = using(folder);
        if found.is_empty() || Instant::now() >= deadline {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Processes that work in `folder` or name it on their command line.
pub fn using(folder: &Path) -> Vec<String> {
    let name = folder.to_string_lossy().into_owned();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = processes.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
    let user = |entry: std::fs::DirEntry| {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let inside = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        (inside || command.contains(&name))
            .then(|| format!("process {}: {command}", entry.file_name().to_string_lossy()))
    };
    processes.filter_map(user).collect()
}
