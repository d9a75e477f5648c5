//! How far a region has worked off the log of invalidations, and what an instance knows of that.

use super::{Position, Snapshot};
use crate::ScriptError;
use std::time::Duration;
use twox_hash::XxHash64;

/// What a region has worked off: of the last time that it read the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkedOff {
    /// The registration of the region. Entries of another one are of no use.
    pub generation: u64,
    /// Which database it was, in which run of its server: cluster, timeline, files, run (`infra/migrations/0012_lineage.sql`).
    pub lineage: String,
    /// A WAL position that was asked for before the snapshot.
    pub position: u64,
    /// What the log was read in: everything that it shows is worked off.
    pub snapshot: Snapshot,
}

impl WorkedOff {
    /// The primary's timeline.
    pub fn timeline(&self) -> u32 {
        let timeline = self.lineage.split('/').nth(1);
        timeline.and_then(|text| u32::from_str_radix(text, 16).ok()).unwrap_or_default()
    }

    /// Whether what is cached shows everything that `demand` has seen. A position that is only as far may be from before: nothing was
    /// written between the two, but a commit that was written earlier may have become visible.
    ///
    /// ```
    /// use cache::region::{Position, WorkedOff};
    ///
    /// let worked_off = WorkedOff {
    ///     generation: 1,
    ///     lineage: "7/00000002/5/6".into(),
    ///     position: 900,
    ///     snapshot: "70:73:70,72".parse().unwrap(),
    /// };
    /// let seen = Position { timeline: 2, lsn: 899, below: 70, own: 71 };
    /// assert!(worked_off.shows(seen) && worked_off.shows(Position::default()));
    /// assert!(!worked_off.shows(Position { lsn: 900, ..seen }));
    /// assert!(!worked_off.shows(Position { below: 71, ..seen }));
    /// assert!(!worked_off.shows(Position { own: 72, ..seen }));
    /// assert!(!worked_off.shows(Position { timeline: 1, ..seen }));
    /// ```
    pub fn shows(&self, demand: Position) -> bool {
        demand == Position::default()
            || (demand.timeline == self.timeline()
                && self.position > demand.lsn
                && self.snapshot.xmin >= demand.below
                && (demand.own == 0 || self.snapshot.shows(demand.own)))
    }
}

/// What an entry of the cache carries as its epoch in a region: the cache's epoch and the region's registration.
pub fn stamp(epoch: u64, generation: u64) -> u64 {
    let mut bytes = [0; 16];
    let (low, high) = bytes.split_at_mut(8);
    low.copy_from_slice(&epoch.to_le_bytes());
    high.copy_from_slice(&generation.to_le_bytes());
    XxHash64::oneshot(0, &bytes)
}

/// What Redis says of the log (`log_state.lua`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    /// The registration; `None` when nothing is known.
    pub generation: Option<u64>,
    /// `None` when nothing is worked off yet.
    pub worked_off: Option<WorkedOff>,
    /// For how long the cache may be used.
    pub left: Duration,
    /// Whether the caller is to read the log.
    pub is_reader: bool,
    /// Redis's clock, in milliseconds of Unix time.
    pub now_ms: u64,
}

impl LogState {
    /// Reads the script's answer.
    ///
    /// # Errors
    /// When it is not the script's.
    pub fn parse(answer: Vec<Vec<u8>>) -> Result<Self, ScriptError> {
        let parts: Vec<String> =
            answer.into_iter().map(String::from_utf8).collect::<Result<_, _>>().map_err(|_| ScriptError)?;
        let [generation, lineage, position, snapshot, left, role, now] =
            <[String; 7]>::try_from(parts).map_err(|_| ScriptError)?;
        let generation = generation.parse().ok();
        let worked_off = match (generation, position.parse(), snapshot.parse()) {
            (Some(generation), Ok(position), Ok(snapshot)) => {
                Some(WorkedOff { generation, lineage, position, snapshot })
            }
            _ => None,
        };
        let left: u64 = left.parse().map_err(|_| ScriptError)?;
        Ok(Self {
            generation,
            worked_off,
            left: Duration::from_millis(left),
            is_reader: role == "read",
            now_ms: now.parse().map_err(|_| ScriptError)?,
        })
    }
}

/// An instance's lease on the cache of a region: until when it may use the cache on what it knows of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLease {
    /// What was worked off.
    pub worked_off: WorkedOff,
    /// The epoch of the cache that it is for.
    pub epoch: u64,
    asked_at: Duration,
    ends_at: Duration,
}

impl LogLease {
    /// The lease that Redis's answer gives; `None` when it gives none. `asked_at` is on the instance's monotonic clock, from before
    /// Redis was asked.
    pub fn new(state: LogState, epoch: u64, asked_at: Duration) -> Option<Self> {
        let left = if cfg!(feature = "without-region-bound") { Duration::MAX } else { state.left };
        let worked_off = state.worked_off.filter(|_| !left.is_zero())?;
        Some(Self { worked_off, epoch, asked_at, ends_at: asked_at.saturating_add(left) })
    }

    /// Whether a read that begins at `now` may use the cache in `epoch`.
    pub fn admits(&self, epoch: u64, now: Duration) -> bool {
        self.epoch == epoch && now < self.ends_at
    }

    /// Whether to ask again: a quarter of `bound` after the last time.
    pub fn is_due(&self, bound: Duration, now: Duration) -> bool {
        now.saturating_sub(self.asked_at) >= bound / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(parts: [&str; 7]) -> Result<LogState, ScriptError> {
        LogState::parse(parts.iter().map(|part| part.as_bytes().to_vec()).collect())
    }

    #[test]
    fn a_lease_ends_when_the_bound_does_counted_from_before_redis_was_asked() {
        let at = Duration::from_millis;
        let known = state(["3", "7/00000001/5/6", "900", "70:70:", "600", "wait", "1000"]).expect("an answer");
        let lease = LogLease::new(known, 8, at(50)).expect("a lease");
        assert!(lease.admits(8, at(649)) && !lease.admits(8, at(650)));
        assert!(!lease.admits(9, at(60)), "of another epoch");
        assert!(!lease.is_due(at(1_000), at(299)) && lease.is_due(at(1_000), at(300)));
    }

    #[test]
    fn without_a_bound_or_without_anything_known_there_is_no_lease() {
        let over = state(["3", "7/00000001/5/6", "900", "70:70:", "0", "read", "1000"]).expect("an answer");
        assert!(over.is_reader && LogLease::new(over, 8, Duration::ZERO).is_none());
        let unknown = state(["", "", "", "", "0", "read", "1000"]).expect("an answer");
        assert_eq!((unknown.generation, unknown.worked_off), (None, None));
        let begun = state(["3", "", "", "", "0", "read", "1000"]).expect("an answer");
        assert_eq!((begun.generation, begun.worked_off), (Some(3), None));
        assert_eq!(state(["3", "", "", "", "x", "read", "1000"]), Err(ScriptError));
    }

    #[test]
    fn a_stamp_is_of_one_epoch_and_one_registration() {
        assert_eq!(stamp(5, 1), stamp(5, 1));
        assert!(stamp(5, 1) != stamp(5, 2) && stamp(5, 1) != stamp(6, 1) && stamp(1, 5) != stamp(5, 1));
    }
}
