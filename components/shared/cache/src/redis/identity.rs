//! The identity of a Redis: its process and its data, from `INFO`. And whether it can hold the cache at all.

use super::failure::RedisFailure;
use super::reply::{Reply, facts};
use super::unfit::Unfit;
use percent_encoding::percent_decode_str;
use std::fmt;

/// Behind a process whose keys carry a hash tag. To hosts that use the other keys it is another Redis: their fences and deletions
/// do not reach these entries.
const TAGGED: &str = "{}";

/// What separates the parts of an identity in the breaker's record.
const SEPARATOR: char = '/';

/// A process, and the history of its data.
///
/// `run_id` names the process. Its data are others than before if it has been a replica meanwhile: it then has those of another
/// master, which may lack the last invalidations. Two facts show it, neither of them alone:
///
/// - `master_replid` names the history. A promotion makes a new one, and keeps the one from before as `master_replid2`. But a
///   new one is also made where the data stay what they are: when the first replica asks a master for a copy, as
///   `redis-cli --rdb` does, and when the master lets go of its backlog (`repl-backlog-ttl`, an hour after the last replica).
///   `master_replid2` is all zeros then (`clearReplicationId2` in Redis's `replication.c`), also where there had been one.
/// - `total_net_repl_input_bytes` grows while it is a replica, and at no other time. Redis has it since version 7.0; it begins
///   again after `CONFIG RESETSTAT`.
///
/// So before version 7.0 a promotion shows for as long as the backlog is kept: longer than any entry lives, if
/// `repl-backlog-ttl` is at least 900 s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    process: String,
    /// `None` for a server that has no replication ids.
    history: Option<History>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct History {
    id: String,
    /// The one from before a promotion, as long as the server remembers it.
    before: Option<String>,
    /// How many bytes it has received as a replica.
    received: u64,
}

impl Identity {
    /// What `INFO` says, without a section or with its sections `server`, `replication`, `stats` and `cluster`, of a Redis where
    /// the keys carry a hash tag or none.
    ///
    /// # Errors
    /// [`RedisFailure::Unfit`] when the cache cannot be in this Redis, [`RedisFailure::Refused`] when it does not identify itself.
    pub fn of(info: &[Reply], has_hash_tag: bool) -> Result<Self, RedisFailure> {
        let [mode, other_mode, cluster, role, run_id, id, before, received] = facts(
            info,
            [
                "redis_mode",
                // What Valkey 9 says in its place.
                "server_mode",
                "cluster_enabled",
                "role",
                "run_id",
                "master_replid",
                "master_replid2",
                "total_net_repl_input_bytes",
            ],
        );
        let needed = |value: Option<String>, missing: &str| {
            value.filter(|value| !value.is_empty()).ok_or_else(|| RedisFailure::Refused(missing.into()))
        };
        let mode = mode.or(other_mode);
        if mode.as_deref() == Some("sentinel") {
            return Err(Unfit::Sentinel.into());
        }
        if !has_hash_tag && (mode.as_deref() == Some("cluster") || cluster.as_deref() == Some("1")) {
            return Err(Unfit::Cluster.into());
        }
        match needed(role, "INFO names no role")?.as_str() {
            "master" => {}
            "slave" | "replica" => return Err(Unfit::Replica.into()),
            "active-replica" => return Err(Unfit::ActiveReplica.into()),
            _ => return Err(Unfit::NoMaster.into()),
        }
        let is_id = |id: &String| id.bytes().any(|byte| byte != b'0');
        let process = needed(run_id, "INFO names no run_id")? + if has_hash_tag { TAGGED } else { "" };
        let history = id.filter(|id| !id.is_empty()).map(|id| History {
            id,
            before: before.filter(is_id),
            received: received.and_then(|bytes| bytes.parse().ok()).unwrap_or(0),
        });
        Ok(Self { process, history })
    }

    /// What [`fmt::Display`] wrote. `None` for anything else: ids are hexadecimal, and `database/…` is an identity by REST.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(SEPARATOR);
        let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let process = parts.next().filter(|text| is_id(&text.strip_suffix(TAGGED).unwrap_or(text)))?.to_owned();
        let id = parts.next().filter(is_id)?.to_owned();
        let before = parts.next().filter(|id| !id.is_empty()).map(str::to_owned);
        let received = parts.next().map_or(Some(0), |bytes| bytes.parse().ok())?;
        parts.next().is_none().then_some(Self { process, history: Some(History { id, before, received }) })
    }
}

/// As the breaker's record keeps it. What most servers are told by is `run_id/master_replid`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let process = &self.process;
        match &self.history {
            None => f.write_str(process),
            Some(History { id, before: None, received: 0 }) => write!(f, "{process}{SEPARATOR}{id}"),
            Some(History { id, before, received }) => {
                let before = before.as_deref().unwrap_or_default();
                write!(f, "{process}{SEPARATOR}{id}{SEPARATOR}{before}{SEPARATOR}{received}")
            }
        }
    }
}

/// Whether the Redis that says it is `seen` is the one that was `known`, with the same data but for what was written since.
/// Both as the breaker's record keeps them; what is no [`Identity`] of a process is compared as it stands.
pub fn is_same_redis(known: &str, seen: &str) -> bool {
    if known == seen {
        return true;
    }
    let (Some(known), Some(seen)) = (Identity::parse(known), Identity::parse(seen)) else {
        return false;
    };
    let (Some(was), Some(is)) = (&known.history, &seen.history) else {
        return false;
    };
    known.process == seen.process && (was.id == is.id || (was.received == is.received && is.before.is_none()))
}

/// Whether a URL asks for RESP3, as the `redis` crate reads it: `protocol=3` or `protocol=resp3`. It takes no other value but
/// those for RESP2.
pub fn asks_for_resp3(url: &str) -> bool {
    let url = url.split('#').next().unwrap_or_default();
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let decoded = |text| percent_decode_str(text).decode_utf8_lossy();
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .any(|(name, value)| decoded(name) == "protocol" && !["2", "resp2"].contains(&decoded(value).as_ref()))
}

#[cfg(test)]
mod tests;
