//! Which PostgreSQL the cache's entries were read from, and whether it still has what it had then.
//!
//! A database can go back: to a backup, to a snapshot of its disk, to a standby that lacks the last commits. Row versions are
//! then given out a second time, and an entry may be of a row that PostgreSQL no longer has. No fence and no outbox row tells,
//! for those went back as well. So the breaker's record knows the database as it knows Redis, and where it is another one, or
//! may have gone back, the epoch moves ([`crate::breaker::Event::DatabaseSeen`]).

use serde::{Deserialize, Serialize};

/// How long what the record knows is recent enough, in milliseconds: so often one of all instances writes it anew while it
/// does not change.
const RECENT_MS: u64 = 4_000;
/// After how long without news of the database an instance asks whose reads are all hits, in milliseconds. Longer than leaders
/// and writers keep what they know (`database::LEASE`), so that mostly they have asked.
const OVERDUE_MS: u64 = 10_000;
/// How late an answer may come behind a newer one, in milliseconds by the database's clock: as long as a statement may be waited
/// for. What is older is no late answer: the clock itself went back, as that of a restored machine does.
const LATEST_MS: i64 = 10_000;

/// What PostgreSQL says of itself (`database_state` in `infra/migrations/0012_lineage.sql`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Cluster, timeline, database and the files of its tables. Another one after a promotion, after a recovery to a point in
    /// time, in another cluster, and when the tables were made or filled anew.
    pub id: String,
    /// This run of its server: when it was started, and what it recovered.
    pub run: String,
    /// Where the write-ahead log (WAL) was when this run began, if it began from an orderly shutdown and that can still be seen.
    pub run_from: Option<i64>,
    /// Where the WAL is.
    pub position: i64,
    /// Its clock, Unix time in milliseconds.
    pub clock_ms: i64,
}

/// What the breaker's record knows of the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// [`Seen::id`]
    pub id: String,
    /// [`Seen::run`]
    pub run: String,
    /// [`Seen::position`]: at least one in this run.
    pub position: i64,
    /// [`Seen::clock_ms`]
    pub clock_ms: i64,
    /// When the record was updated, Unix time in milliseconds.
    pub told_ms: u64,
}

/// What follows of what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Nothing that the record lacks.
    Nothing,
    /// The database still has what it had: the record keeps this of it.
    Same(Known),
    /// It may lack what it had: the record keeps this of it, in a new epoch.
    WentBack(Known),
}

impl Known {
    /// Whether the database should be asked although no request reads it.
    pub fn is_overdue(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.told_ms) >= OVERDUE_MS
    }
}

/// Compares what PostgreSQL says at `now_ms`, Unix time in milliseconds, with what was known.
///
/// In one run nothing is lost. A new run has all that was committed before if it began from an orderly shutdown, at a position
/// of the WAL that is not before the one that was known: a copy of the disk was made before. What is known has been seen at
/// least once in its run, and before the first row that this run changed could be stored, because a write learns the run that it
/// was done in. A run that began with a recovery may have lost something (commits that did not wait for the disk, or all
/// since a snapshot that was put back), which nothing shows.
pub fn compare(known: Option<&Known>, seen: &Seen, now_ms: u64) -> Comparison {
    let Seen { id, run, run_from, position, clock_ms } = seen;
    let told = |position| Known { id: id.clone(), run: run.clone(), position, clock_ms: *clock_ms, told_ms: now_ms };
    let Some(known) = known else {
        return Comparison::Same(told(*position));
    };
    // The clocks of two servers differ, so how late an answer is can be told within one run alone.
    if known.id == *id && known.run == *run {
        if (1..LATEST_MS).contains(&known.clock_ms.saturating_sub(*clock_ms)) {
            return Comparison::Nothing;
        }
        let is_recent = now_ms.saturating_sub(known.told_ms) < RECENT_MS;
        return if is_recent { Comparison::Nothing } else { Comparison::Same(told(known.position.max(*position))) };
    }
    let has_all = known.id == *id && run_from.is_some_and(|from| from >= known.position);
    if has_all { Comparison::Same(told(*position)) } else { Comparison::WentBack(told(*position)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    /// In the run `run`, which began at `run_from`.
    fn seen(run: &str, run_from: Option<i64>, position: i64) -> Seen {
        Seen { id: "cluster/1/database".into(), run: run.into(), run_from, position, clock_ms: 500_000 }
    }

    fn known(seen: &Seen) -> Known {
        match compare(None, seen, NOW) {
            Comparison::Same(known) => known,
            other => panic!("{other:?}"),
        }
    }

    fn went_back(known: &Known, seen: &Seen) -> bool {
        match compare(Some(known), seen, NOW + 1) {
            Comparison::WentBack(known) => {
                assert_eq!((known.id, known.run, known.position), (seen.id.clone(), seen.run.clone(), seen.position));
                true
            }
            Comparison::Same(_) | Comparison::Nothing => false,
        }
    }

    /// The positions are those of PostgreSQL 15.13: `pg_control_checkpoint()` and `pg_current_wal_insert_lsn()`.
    #[test]
    fn a_restart_loses_nothing_and_a_copy_of_before_does() {
        let first = known(&seen("first", None, 0x151_7220));
        assert!(!went_back(&first, &seen("second", Some(0x151_7220), 0x151_7298)), "an idle server was restarted");
        assert!(!went_back(&first, &seen("second", Some(0x151_7300), 0x151_7378)));
        // The copy was made at 15173c0; then the server ran on, and wrote. It is soon past that position again.
        let ran_on = known(&seen("third", Some(0x151_73c0), 0x151_74f8));
        assert!(went_back(&ran_on, &seen("fourth", Some(0x151_73c0), 0x151_7438)));
        assert!(went_back(&ran_on, &seen("fourth", Some(0x151_73c0), 0x999_9999)));
    }

    #[test]
    fn a_run_that_began_with_a_recovery_or_longer_ago_than_can_be_seen_may_have_lost_something() {
        let first = known(&seen("first", None, 100));
        assert!(went_back(&first, &seen("recovered", None, 1_000)));
    }

    #[test]
    fn another_timeline_or_cluster_or_table_is_another_database() {
        let first = known(&seen("first", None, 100));
        for run in ["first", "second"] {
            let promoted = Seen { id: "cluster/2/database".into(), ..seen(run, Some(1_000), 1_000) };
            assert!(went_back(&first, &promoted));
        }
    }

    #[test]
    fn what_is_not_new_is_told_now_and_then() {
        let first = known(&seen("first", None, 100));
        let later = Seen { clock_ms: 500_001, ..seen("first", None, 200) };
        assert_eq!(compare(Some(&first), &later, NOW + RECENT_MS - 1), Comparison::Nothing);
        let Comparison::Same(told) = compare(Some(&first), &later, NOW + RECENT_MS) else {
            panic!("it is told");
        };
        assert_eq!((told.position, told.clock_ms, told.told_ms), (200, 500_001, NOW + RECENT_MS));
        assert!(!told.is_overdue(NOW + RECENT_MS + OVERDUE_MS - 1) && told.is_overdue(NOW + RECENT_MS + OVERDUE_MS));
        assert!(!told.is_overdue(0), "a clock that is behind");
    }

    #[test]
    fn an_answer_of_the_same_run_that_comes_late_says_nothing() {
        let first = known(&seen("first", Some(50), 100));
        let before = |clock_ms| Seen { clock_ms, ..seen("first", Some(50), 40) };
        assert_eq!(compare(Some(&first), &before(499_999), NOW + RECENT_MS), Comparison::Nothing);
        assert!(matches!(compare(Some(&first), &before(500_000 - LATEST_MS), NOW + RECENT_MS), Comparison::Same(_)));
    }

    #[test]
    fn another_run_is_heard_however_far_the_clock_of_its_server_is_behind() {
        let second = known(&seen("second", Some(50), 100));
        for clock_ms in [499_999, 500_000 - LATEST_MS, 500_000, 500_001] {
            assert!(went_back(&second, &Seen { clock_ms, ..seen("third", None, 40) }), "{clock_ms}");
        }
    }
}
