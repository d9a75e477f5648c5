//! What all instances share about the cache.

use crate::database::lineage::Known;
use crate::is_same_redis;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Whether the cache may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// The cache is used.
    Closed,
    /// The cache is not used until a probe has succeeded.
    Open {
        /// When a probe is due, Unix time in milliseconds.
        retry_at_ms: u64,
    },
    /// One instance is probing Redis and making up for missed invalidations.
    HalfOpen {
        /// The probe's own token.
        probe: String,
        /// When the probe counts as dead, Unix time in milliseconds.
        lease_until_ms: u64,
    },
}

/// The kinds of [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateKind {
    /// [`State::Closed`]
    Closed,
    /// [`State::Open`]
    Open,
    /// [`State::HalfOpen`]
    HalfOpen,
}

impl StateKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Its name in logs, health and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What an operator has ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Mode {
    /// The breaker decides.
    #[default]
    Auto,
    /// The cache is not used and Redis is not probed.
    ForcedOpen,
    /// Failures do not take the cache out of use. A missed invalidation still does, until it is made good: an operator can
    /// decide to wait for a slow Redis, not to serve old data.
    ForcedClosed,
    /// As [`Mode::ForcedClosed`], and what the breaker would have done is logged.
    Observe,
}

impl Mode {
    /// The mode's name in logs, as an operator orders it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::ForcedOpen => "forced_open",
            Self::ForcedClosed => "forced_closed",
            Self::Observe => "observe",
        }
    }
}

/// A vote expires after two resets, so that an instance barred for one can still confirm it.
const VOTE_RESETS: u64 = 2;

/// One instance's vote that Redis is failing. The voter may be partitioned, so one vote does not open the breaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// The token of the instance that votes.
    pub voter: String,
    /// When, Unix time in milliseconds. It counts for two resets.
    pub at_ms: u64,
}

/// What all instances share about the cache.
///
/// ```
/// use cache::breaker::{Event, Record, next};
/// use std::time::Duration;
///
/// let (reset, now_ms) = (Duration::from_secs(60), 1_000_000);
/// let first = Record::initial(now_ms);
/// assert!(!first.admits() && first.probe_is_due(now_ms));
///
/// let change = |record, event| next(record, event, now_ms, reset);
/// let probing = change(&first, Event::ProbeOffered { token: "a" }).expect("a probe is due");
/// assert_eq!(change(&probing, Event::ProbeOffered { token: "b" }), None, "one probe at a time");
/// let closed = change(&probing, Event::ProbeSucceeded { token: "a", run_id: "r1" }).expect("it is its probe");
/// assert!(closed.admits() && closed.trusts("r1"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Whether the cache may be used.
    #[serde(flatten)]
    pub state: State,
    /// The cache's generation. Entries of another one are misses.
    pub epoch: u64,
    /// Which Redis the entries of this epoch are in: its process and the history of its data ([`crate::Identity`]).
    pub run_id: Option<String>,
    /// When the state last changed, Unix time in milliseconds.
    pub since_ms: u64,
    /// When it last stopped being closed, Unix time in milliseconds: a lease on an older record may have been taken until
    /// then.
    pub left_ms: u64,
    /// Why it last changed.
    pub reason: String,
    /// What an operator has ordered.
    #[serde(default)]
    pub mode: Mode,
    /// How many probes have failed in a row.
    #[serde(default)]
    pub failed_probes: u32,
    /// The first vote that Redis is failing, while the breaker is closed.
    #[serde(default)]
    pub suspicion: Option<Suspicion>,
    /// Which PostgreSQL the entries of this epoch were read from; `None` until it was asked.
    #[serde(default)]
    pub database: Option<Known>,
    /// Whether the cache has been in use since the record was made, for the first time or because it was lost: leases on a lost record
    /// are not known. A release that does not say may have used it.
    #[serde(default = "has_been_used")]
    pub has_been_used: bool,
}

fn has_been_used() -> bool {
    true
}

impl Record {
    /// The record of a deployment that has none. It is open, with a probe due at once: the key-value store cannot create a
    /// key atomically, so two instances may both write this one, and an open record never admits a cache that may not be
    /// used. The epoch is the time, so that a store that was lost does not bring old entries back.
    pub fn initial(now_ms: u64) -> Self {
        Self {
            state: State::Open { retry_at_ms: now_ms },
            epoch: now_ms,
            run_id: None,
            since_ms: now_ms,
            left_ms: now_ms,
            reason: "first start".into(),
            mode: Mode::Auto,
            failed_probes: 0,
            suspicion: None,
            database: None,
            has_been_used: false,
        }
    }

    /// How many consecutive failures make `voter` vote: the threshold, but one is enough to confirm another's vote.
    pub fn failures_to_vote(&self, voter: &str, threshold: u32, now_ms: u64, reset: Duration) -> u32 {
        let is_second = self.standing_suspicion(now_ms, millis(reset)).is_some_and(|other| other.voter != voter);
        if is_second { 1 } else { threshold }
    }

    /// Whether an instance that sees Redis fail stops using it on its own account.
    pub fn heeds_failures(&self) -> bool {
        matches!(self.mode, Mode::Auto | Mode::ForcedOpen)
    }

    pub(super) fn standing_suspicion(&self, now_ms: u64, reset_ms: u64) -> Option<&Suspicion> {
        self.suspicion.as_ref().filter(|suspicion| now_ms.saturating_sub(suspicion.at_ms) < VOTE_RESETS * reset_ms)
    }

    /// Whether the cache may be used.
    pub fn admits(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether the entries of this epoch are in the Redis that says it is `run_id`.
    pub fn trusts(&self, run_id: &str) -> bool {
        self.run_id.as_deref().is_some_and(|known| is_same_redis(known, run_id))
    }

    /// Whether an invalidation of which the Redis that says it is `run_id` was told needs to reach no other: that one is trusted, or
    /// none is, and then the next begins with another epoch.
    pub fn covers(&self, run_id: &str) -> bool {
        self.run_id.is_none() || self.trusts(run_id)
    }

    /// Whether a probe is due.
    pub fn probe_is_due(&self, now_ms: u64) -> bool {
        match &self.state {
            State::Closed => false,
            State::Open { retry_at_ms } => now_ms >= *retry_at_ms,
            State::HalfOpen { lease_until_ms, .. } => now_ms >= *lease_until_ms,
        }
    }

    /// When the next probe is due, Unix time in milliseconds; `None` while the cache is used, or probed.
    pub fn retry_at_ms(&self) -> Option<u64> {
        match self.state {
            State::Open { retry_at_ms } => Some(retry_at_ms),
            State::Closed | State::HalfOpen { .. } => None,
        }
    }

    /// The state's kind.
    pub fn state_kind(&self) -> StateKind {
        match self.state {
            State::Closed => StateKind::Closed,
            State::Open { .. } => StateKind::Open,
            State::HalfOpen { .. } => StateKind::HalfOpen,
        }
    }

    /// The state's name in logs and health.
    pub fn state_name(&self) -> &'static str {
        self.state_kind().name()
    }
}

/// A duration in whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)
}
