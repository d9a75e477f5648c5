//! How the record changes.

use super::record::{Mode, Record, State, Suspicion, millis};
use crate::Unfit;
use crate::database::lineage::{Comparison, Seen, compare};
use std::time::Duration;

/// How long one instance may take over a probe, in milliseconds: long enough to drain an outbox of some thousand rows.
pub const PROBE_LEASE_MS: u64 = 10_000;
/// How soon a probe follows a missed invalidation, in milliseconds. Redis may be well; only the outbox has to be drained, which
/// takes less than a minute.
const QUARANTINE_RETRY_MS: u64 = 1_000;

/// How much longer than a write without a fence needs the breaker is held open for it, in milliseconds: many such writes
/// are then two changes of the record a second, and not one each.
const HOLD_SLACK_MS: u64 = 500;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// An instance has seen as many consecutive failures of Redis as [`Record::failures_to_vote`] says.
    Failing {
        /// The instance's token.
        voter: &'a str,
        /// How long a lease lasts. A vote has to stand for so long before another confirms it: by then every instance
        /// that reaches Redis has read the vote and cleared it. Two instances of one partitioned host are not enough.
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
    /// PostgreSQL, where the record is, was started anew since it was written: the record may have gone back together with the
    /// rows, and so cannot show it.
    RecordIsOfAnotherRun,
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

/// Never backwards, and past every epoch that a lost store may have given out.
fn next_epoch(record: &Record, now_ms: u64) -> u64 {
    now_ms.max(record.epoch + 1)
}

/// What health says of a Redis that answers and is of no use.
fn unusable(unfit: Unfit) -> String {
    format!("redis cannot be used: {unfit}")
}

/// How long the breaker stays open after the `failed`-th failed probe in a row, in milliseconds: twice as long each time.
pub(super) fn grown_reset_ms(reset: Duration, longest: Duration, failed: u32) -> u64 {
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
            Comparison::Nothing => None,
            Comparison::Same(known) => Some(Record { database: Some(known), ..record.clone() }),
            Comparison::WentBack(known) => Some(Record {
                database: Some(known),
                epoch: next_epoch(record, now_ms),
                reason: "the database is another one than before, or went back".into(),
                ..record.clone()
            }),
        },
        (_, Event::RecordIsOfAnotherRun) => Some(Record {
            database: None,
            epoch: next_epoch(record, now_ms),
            reason: "the database was started anew, and the record may have gone back with it".into(),
            ..record.clone()
        }),
        (_, Event::Ordered { mode, .. }) if mode == record.mode => None,
        (_, Event::Ordered { mode: Mode::ForcedOpen, .. }) => Some(Record {
            mode: Mode::ForcedOpen,
            ..change(State::Open { retry_at_ms: u64::MAX }, "an operator took the cache out of use")?
        }),
        // A write that saw the breaker open relies on no probe before it ends.
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
        // The reporter may have compared with an outdated record.
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
        // A probe or a write is about to act for the sake of this Redis. In any case the one from before is not
        // trusted again without a new epoch.
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
                has_been_used: true,
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
