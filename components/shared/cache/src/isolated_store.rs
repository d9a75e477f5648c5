//! Behaviour when hosts do not share a key-value store (`key_value_shared = false`). A breaker that opens on one host is not
//! seen by the others; what they share is the outbox. A write that could not invalidate leaves its row there. A host whose
//! lease runs out looks for rows that should be gone by now.
//!
//! A row is overdue [`GRACE`] after it was inserted, or when it commits, if that is later. A lease from before admits for one
//! lease at most. So [`settling_time`] after the commit every instance that uses the cache has drained the row; the writer
//! waits for so long before it answers.

use crate::database::lineage::Known;
use std::time::Duration;

/// The age at which a row of the outbox is overdue. A writer removes its row within milliseconds of its answer. On a busy
/// host it may take longer; other hosts then leave the cache alone for a moment without need.
pub const GRACE: Duration = Duration::from_secs(1);

/// How long a write that left its row in the outbox waits before it is answered, `lease` being how long a lease lasts.
pub fn settling_time(lease: Duration) -> Duration {
    GRACE + lease
}

/// The epoch of the entries in the Redis with this `run_id`, read from this database. Hosts without a common record
/// could not agree on a counter: each would reject the other's entries as outdated. A restart of either server changes it. A
/// Redis that was given up and taken back without a restart gets its earlier epoch again.
pub fn epoch(run_id: &str, database: Option<&Known>) -> u64 {
    // It only has to tell a few random names apart.
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(run_id.as_bytes());
    if let Some(Known { id, run, .. }) = database {
        hasher.update(id.as_bytes());
        hasher.update(run.as_bytes());
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_share_nothing_agree_on_the_epoch_of_a_redis_and_tell_two_apart() {
        let (one, other) = ("c41bd1e0b7a1a3d0f3f1b1a7d9f0a1b2c3d4e5f6", "c41bd1e0b7a1a3d0f3f1b1a7d9f0a1b2c3d4e5f7");
        assert_eq!(epoch(one, None), epoch(one, None));
        assert_ne!(epoch(one, None), epoch(other, None));
        assert_ne!(epoch("", None), epoch(one, None));
        let database = |run: &str, told_ms| Known {
            id: "cluster/1/database".into(),
            run: run.into(),
            position: 1,
            clock_ms: 1,
            told_ms,
        };
        assert_eq!(epoch(one, Some(&database("a", 1))), epoch(one, Some(&database("a", 2))));
        assert_ne!(epoch(one, Some(&database("a", 1))), epoch(one, Some(&database("b", 1))));
    }

    #[test]
    fn leases_older_than_the_row_have_expired_when_the_write_is_answered() {
        let lease = Duration::from_millis(500);
        let last_that_overlooks_it = GRACE - Duration::from_millis(1);
        assert!(last_that_overlooks_it + lease < settling_time(lease));
        assert!(
            last_that_overlooks_it + lease + Duration::from_millis(2) > settling_time(lease),
            "it waits for nothing"
        );
    }
}
