//! The circuit breaker around Redis, and the quarantine of a cache that missed an invalidation.
//!
//! One [`Record`] in the key-value store is shared by all instances; every change of it is a compare-and-swap of what
//! [`next`] returns. An instance acts on what it read for one lease ([`Lease`]), so a writer that has swapped in an `Open`
//! record and waited a lease knows that no reader uses the cache any more.

mod instance;

use crate::database::lineage::{Known, Seen, Verdict, compare};
use crate::{Unfit, is_same_redis};
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub use instance::{Cooldown, Failures, Lease, LeaseState};

/// How long one instance may take over a probe, in milliseconds: long enough to drain an outbox of some thousand rows.
pub const PROBE_LEASE_MS: u64 = 10_000;
/// How soon a cache that only missed an invalidation is looked at again, in milliseconds. Redis may be well; what has to be
/// made good is the outbox, and that needs no minute.
const QUARANTINE_RETRY_MS: u64 = 1_000;

/// How much longer than a write without a fence needs the breaker is held open for it, in milliseconds: many such writes
/// are then two changes of the record a second, and not one each.
const HOLD_SLACK_MS: u64 = 500;

/// Whether the cache may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// The cache is used.
    Closed,
    /// The cache is not used until somebody probes it.
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

/// How many resets a vote counts. One is how long each leaves Redis alone who has voted with it, too early to confirm it: behind
/// that there must be time to.
const VOTE_RESETS: u64 = 2;

/// One instance's vote that Redis is failing. It may be the instance that is cut off, so one vote does not open the breaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// Who votes: a token of the instance.
    pub voter: String,
    /// When, Unix time in milliseconds. It counts for [`VOTE_RESETS`].
    pub at_ms: u64,
}

/// What all instances share about the cache.
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
    /// Who says that Redis is failing, while the breaker is closed.
    #[serde(default)]
    pub suspicion: Option<Suspicion>,
    /// Which PostgreSQL the entries of this epoch were read from; `None` until it was asked.
    #[serde(default)]
    pub database: Option<Known>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// An instance has seen as many consecutive failures of Redis as [`Record::failures_to_vote`] says.
    Failing {
        /// The instance's token.
        voter: &'a str,
        /// How long a lease lasts. A vote has to stand for so long before another confirms it: by then everybody whom
        /// Redis answers has read it and taken it back. Two instances of one host that is cut off are not enough.
        lease: Duration,
    },
    /// Redis has answered an instance that had read of another's suspicion, or that had voted itself.
    Answering,
    /// An operator orders a mode.
    Ordered {
        /// Which.
        mode: Mode,
        /// When every write that goes on without a fence at this moment is over, Unix time in milliseconds.
        over_ms: u64,
    },
    /// A write could not invalidate what it changed.
    MissedInvalidation,
    /// A write is about to run without a fence: no probe may drain the outbox and close the breaker before it is over.
    UnfencedWrite {
        /// When its statement is over at the latest, Unix time in milliseconds.
        until_ms: u64,
        /// Why it has none, if the Redis that answers cannot have it.
        unfit: Option<Unfit>,
    },
    /// The Redis at the other end of a new connection is not the one whose entries are trusted.
    AnotherRedis {
        /// Which one it is.
        run_id: &'a str,
    },
    /// PostgreSQL has said which one it is, and how far.
    DatabaseSeen {
        /// What it said.
        seen: &'a Seen,
    },
    /// An instance offers to probe.
    ProbeOffered {
        /// The token that it will answer with.
        token: &'a str,
    },
    /// The probe reached Redis and drained the outbox.
    ProbeSucceeded {
        /// The probe's token.
        token: &'a str,
        /// Which Redis it reached.
        run_id: &'a str,
    },
    /// The probe failed.
    ProbeFailed {
        /// The probe's token.
        token: &'a str,
        /// The longest that the breaker may stay open before the next.
        longest: Duration,
        /// Why, if the Redis that answers is none that the cache can be in.
        unfit: Option<Unfit>,
    },
}

impl Record {
    /// The record of a deployment that has none. It is open, with a probe due at once: the key-value store cannot create a
    /// key atomically, so two instances may both write this one, and an open record never lets anybody use a cache that
    /// it should not. The epoch is the time, so that a store that was lost does not bring old entries back.
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

    fn standing_suspicion(&self, now_ms: u64, reset_ms: u64) -> Option<&Suspicion> {
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

    /// Whether somebody should probe now.
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

    /// The state's name in logs and health.
    pub fn state_name(&self) -> &'static str {
        match self.state {
            State::Closed => "closed",
            State::Open { .. } => "open",
            State::HalfOpen { .. } => "half_open",
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)
}

/// Never backwards, and past every epoch that a lost store may have given out.
fn next_epoch(record: &Record, now_ms: u64) -> u64 {
    now_ms.max(record.epoch + 1)
}

/// What health says of a Redis that answers and is of no use.
fn unusable(unfit: Unfit) -> String {
    format!("redis cannot be used: {unfit}")
}

/// How long the breaker stays open after the `failed`-th failed probe in a row, in milliseconds: twice as long each time.
fn grown_reset_ms(reset: Duration, longest: Duration, failed: u32) -> u64 {
    let factor = 1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX);
    millis(reset.saturating_mul(factor).min(reset.max(longest)))
}

/// The record after `event`, or `None` when it changes nothing. `now_ms` is Unix time in milliseconds, `reset` how long
/// the breaker stays open after a failure.
pub fn next(record: &Record, event: Event<'_>, now_ms: u64, reset: Duration) -> Option<Record> {
    let reset_ms = millis(reset);
    let left_ms = if record.admits() { now_ms } else { record.left_ms };
    let change = |state: State, reason: &str| {
        Some(Record { state, since_ms: now_ms, left_ms, reason: reason.into(), suspicion: None, ..record.clone() })
    };
    let open_after = |ms: u64, reason: &str| change(State::Open { retry_at_ms: now_ms + ms }, reason);
    let soon = QUARANTINE_RETRY_MS.min(reset_ms);
    match (&record.state, event) {
        // Whatever the state, and the operator's order: the entries are still there when the cache is let in again.
        (_, Event::DatabaseSeen { seen }) => match compare(record.database.as_ref(), seen, now_ms) {
            Verdict::Nothing => None,
            Verdict::Same(known) => Some(Record { database: Some(known), ..record.clone() }),
            Verdict::WentBack(known) => Some(Record {
                database: Some(known),
                epoch: next_epoch(record, now_ms),
                reason: "the database is another one than before, or went back".into(),
                ..record.clone()
            }),
        },
        (_, Event::Ordered { mode, .. }) if mode == record.mode => None,
        (_, Event::Ordered { mode: Mode::ForcedOpen, .. }) => Some(Record {
            mode: Mode::ForcedOpen,
            ..change(State::Open { retry_at_ms: u64::MAX }, "an operator took the cache out of use")?
        }),
        // Who saw the breaker open counts on no probe before its write is over.
        (State::Open { retry_at_ms }, Event::Ordered { mode, over_ms }) => Some(Record {
            mode,
            ..change(State::Open { retry_at_ms: (*retry_at_ms).min(over_ms) }, "an operator wants the cache tried")?
        }),
        (State::Closed | State::HalfOpen { .. }, Event::Ordered { mode, .. }) => {
            Some(Record { mode, suspicion: None, ..record.clone() })
        }
        // Nothing but another order changes this one; what was not invalidated is in the outbox.
        (State::Open { .. }, _) if record.mode == Mode::ForcedOpen => None,
        (State::Closed, Event::Failing { .. }) if !record.heeds_failures() => None,
        (State::Closed, Event::Failing { voter, lease }) => match record.standing_suspicion(now_ms, reset_ms) {
            Some(first) if first.voter != voter && now_ms.saturating_sub(first.at_ms) >= millis(lease) => {
                open_after(reset_ms, "redis is failing")
            }
            Some(_) => None,
            None => {
                let suspicion = Suspicion { voter: voter.into(), at_ms: now_ms };
                Some(Record { suspicion: Some(suspicion), ..record.clone() })
            }
        },
        (State::Closed, Event::Answering) if record.suspicion.is_some() => {
            Some(Record { suspicion: None, ..record.clone() })
        }
        // A probe that is under way may have drained the outbox before this write's row was there: it must start again.
        (State::Closed | State::HalfOpen { .. }, Event::MissedInvalidation) => {
            open_after(soon, "an invalidation was missed")
        }
        // Whoever reports it may have compared with an outdated record.
        (State::Closed, Event::AnotherRedis { run_id }) if !record.trusts(run_id) => {
            open_after(0, "redis is another one than before")
        }
        (State::Open { retry_at_ms }, Event::UnfencedWrite { until_ms, .. }) if *retry_at_ms >= until_ms => None,
        (state, Event::UnfencedWrite { until_ms, unfit }) => {
            let reason = match (unfit, state) {
                (Some(unfit), _) => unusable(unfit),
                // What opened it is still the reason.
                (None, State::Open { .. }) => record.reason.clone(),
                (None, State::Closed | State::HalfOpen { .. }) => "a write cannot reach redis".into(),
            };
            open_after(until_ms.saturating_sub(now_ms) + HOLD_SLACK_MS, &reason)
        }
        // A probe or a write is about to act for the sake of this Redis. Whatever becomes of it, the one from before is not
        // told and is not trusted again without a new epoch.
        (State::Open { .. } | State::HalfOpen { .. }, Event::AnotherRedis { run_id })
            if !record.trusts(run_id) && record.run_id.is_some() =>
        {
            Some(Record { run_id: None, ..record.clone() })
        }
        (State::Open { .. } | State::HalfOpen { .. }, Event::ProbeOffered { token }) if record.probe_is_due(now_ms) => {
            change(State::HalfOpen { probe: token.into(), lease_until_ms: now_ms + PROBE_LEASE_MS }, "probing")
        }
        (State::HalfOpen { probe, .. }, Event::ProbeSucceeded { token, run_id }) if probe == token => {
            let is_the_same = record.trusts(run_id);
            Some(Record {
                state: State::Closed,
                epoch: if is_the_same { record.epoch } else { next_epoch(record, now_ms) },
                run_id: Some(run_id.into()),
                since_ms: now_ms,
                left_ms: record.left_ms,
                mode: record.mode,
                failed_probes: 0,
                suspicion: None,
                database: record.database.clone(),
                reason: if is_the_same { "readmitted" } else { "readmitted in a new epoch" }.into(),
            })
        }
        (State::HalfOpen { probe, .. }, Event::ProbeFailed { token, longest, unfit }) if probe == token => {
            let failed_probes = record.failed_probes.saturating_add(1);
            let reason = unfit.map_or_else(|| "the probe failed".into(), unusable);
            Some(Record { failed_probes, ..open_after(grown_reset_ms(reset, longest, failed_probes), &reason)? })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
