//! The circuit breaker around Redis, and the quarantine of a cache that missed an invalidation.
//!
//! One [`Record`] in the key-value store is shared by all instances; every change of it is a compare-and-swap of what
//! [`next`] returns. An instance acts on what it read for one lease ([`Lease`]), so a writer that has swapped in an `Open`
//! record and waited a lease knows that no reader uses the cache any more.

use serde::{Deserialize, Serialize};
use std::rc::Rc;
use std::time::Duration;

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
    /// Which Redis the entries of this epoch are in: its `run_id` and the history of its data.
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
    },
    /// The Redis at the other end of a new connection is not the one whose entries are trusted.
    AnotherRedis {
        /// Which one it is.
        run_id: &'a str,
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

    /// Whether the entries of this epoch are in the Redis with this `run_id`.
    pub fn trusts(&self, run_id: &str) -> bool {
        self.run_id.as_deref() == Some(run_id)
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
        (State::Closed, Event::AnotherRedis { run_id }) if record.run_id.as_deref() != Some(run_id) => {
            open_after(0, "redis is another one than before")
        }
        (State::Open { retry_at_ms }, Event::UnfencedWrite { until_ms }) if *retry_at_ms >= until_ms => None,
        (_, Event::UnfencedWrite { until_ms }) => {
            open_after(until_ms.saturating_sub(now_ms) + HOLD_SLACK_MS, "a write cannot reach redis")
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
                // Never backwards, and past every epoch that a lost store may have given out.
                epoch: if is_the_same { record.epoch } else { now_ms.max(record.epoch + 1) },
                run_id: Some(run_id.into()),
                since_ms: now_ms,
                left_ms: record.left_ms,
                mode: record.mode,
                failed_probes: 0,
                suspicion: None,
                reason: if is_the_same { "readmitted" } else { "readmitted in a new epoch" }.into(),
            })
        }
        (State::HalfOpen { probe, .. }, Event::ProbeFailed { token, longest }) if probe == token => {
            let failed_probes = record.failed_probes.saturating_add(1);
            Some(Record {
                failed_probes,
                ..open_after(grown_reset_ms(reset, longest, failed_probes), "the probe failed")?
            })
        }
        _ => None,
    }
}

/// An instance's own count of consecutive failures.
#[derive(Debug, Default)]
pub struct Failures {
    count: u32,
    last_at: Option<Duration>,
}

impl Failures {
    /// Counts a failure, known at `now`, of a command that was sent at `sent_at`, and answers the count. Commands that were
    /// all under way during one stall are one failure: a pause of a busy machine fails a dozen at once, and is over.
    pub fn count(&mut self, sent_at: Duration, now: Duration) -> u32 {
        if self.last_at.is_none_or(|last| sent_at >= last) {
            self.count = self.count.saturating_add(1);
            self.last_at = Some(now);
        }
        self.count
    }

    /// Starts again: Redis has answered.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// What an instance last read of the record, and when: it may act on it for one lease.
#[derive(Clone, Debug)]
pub struct Lease {
    record: Rc<Record>,
    read_at: Duration,
}

/// How much a lease is still worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Act on it.
    Valid,
    /// Act on it, and renew it in the background.
    RenewSoon,
    /// Read the record again before acting.
    Lapsed,
}

impl Lease {
    /// A lease on `record`. `read_at` is when its reading *began*, on the instance's monotonic clock: a swap that came
    /// between is then noticed one lease after it at the latest.
    pub fn new(record: Record, read_at: Duration) -> Self {
        Self { record: Rc::new(record), read_at }
    }

    /// The same record, for no longer than `earlier` lasts.
    pub fn as_long_as(self, earlier: &Self) -> Self {
        Self { read_at: self.read_at.min(earlier.read_at), ..self }
    }

    /// The record as it was read.
    pub fn shared_record(&self) -> Rc<Record> {
        Rc::clone(&self.record)
    }

    /// Whether the record had been read before `sent_at`, on the instance's monotonic clock.
    pub fn was_read_before(&self, sent_at: Duration) -> bool {
        self.read_at <= sent_at
    }

    /// What the lease is worth at `now`, for leases of `length`.
    pub fn worth(&self, now: Duration, length: Duration) -> Worth {
        let age = now.saturating_sub(self.read_at);
        if age >= length {
            Worth::Lapsed
        } else if age >= length / 2 {
            Worth::RenewSoon
        } else {
            Worth::Valid
        }
    }
}

/// An instance's own decision to leave Redis alone after it has voted: until then nobody else may have noticed.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// The record's change that it was decided under. A later one knows more.
    since_ms: u64,
    until: Duration,
}

impl Bar {
    /// A bar for one reset from `now`, on the instance's monotonic clock.
    pub fn new(record: &Record, now: Duration, reset: Duration) -> Self {
        Self { since_ms: record.since_ms, until: now + reset }
    }

    /// Whether the cache is left alone at `now`.
    pub fn holds(&self, record: &Record, now: Duration) -> bool {
        now < self.until && record.since_ms == self.since_ms && record.heeds_failures()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RESET: Duration = Duration::from_secs(60);
    const NOW: u64 = 1_000_000;

    fn closed() -> Record {
        Record {
            state: State::Closed,
            epoch: 5,
            run_id: Some("r1".into()),
            since_ms: 0,
            left_ms: 0,
            reason: String::new(),
            mode: Mode::Auto,
            failed_probes: 0,
            suspicion: None,
        }
    }

    const LEASE: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(300);
    const FIRST: Event<'_> = Event::Failing { voter: "first", lease: LEASE };
    const SECOND: Event<'_> = Event::Failing { voter: "second", lease: LEASE };

    /// What two instances that see Redis fail make of it.
    fn opened() -> Record {
        after(&after(&closed(), FIRST, NOW - 500), SECOND, NOW)
    }

    fn after(record: &Record, event: Event<'_>, now: u64) -> Record {
        next(record, event, now, RESET).unwrap_or_else(|| panic!("{event:?} changes nothing of {record:?}"))
    }

    #[test]
    fn it_opens_when_redis_fails_and_is_probed_after_the_reset() {
        let open = opened();
        assert!(!open.admits());
        assert!(!open.probe_is_due(NOW + 59_999));
        assert_eq!(next(&open, Event::ProbeOffered { token: "a" }, NOW + 59_999, RESET), None);
        let half_open = after(&open, Event::ProbeOffered { token: "a" }, NOW + 60_000);
        assert!(!half_open.admits());
    }

    #[test]
    fn it_remembers_when_it_was_last_closed_through_probes_that_fail() {
        let open = after(&closed(), Event::MissedInvalidation, NOW);
        assert_eq!(open.left_ms, NOW);
        let half_open = after(&open, Event::ProbeOffered { token: "a" }, NOW + 60_000);
        let open_again = after(&half_open, Event::ProbeFailed { token: "a", longest: LONGEST }, NOW + 60_100);
        assert_eq!(open_again.left_ms, NOW);
    }

    #[test]
    fn only_one_probe_runs_until_its_lease_is_over() {
        let open = opened();
        let half_open = after(&open, Event::ProbeOffered { token: "a" }, NOW + 60_000);
        assert_eq!(next(&half_open, Event::ProbeOffered { token: "b" }, NOW + 60_001, RESET), None);
        let taken_over = after(&half_open, Event::ProbeOffered { token: "b" }, NOW + 60_000 + PROBE_LEASE_MS);
        let late = Event::ProbeSucceeded { token: "a", run_id: "r1" };
        assert_eq!(next(&taken_over, late, NOW + 80_000, RESET), None);
        assert!(after(&taken_over, Event::ProbeSucceeded { token: "b", run_id: "r1" }, NOW + 80_000).admits());
    }

    #[test]
    fn the_epoch_moves_only_when_redis_is_another_one() {
        let half_open = Record { state: State::HalfOpen { probe: "a".into(), lease_until_ms: NOW }, ..closed() };
        let same = after(&half_open, Event::ProbeSucceeded { token: "a", run_id: "r1" }, NOW);
        assert_eq!((same.epoch, same.run_id.as_deref()), (5, Some("r1")));
        let other = after(&half_open, Event::ProbeSucceeded { token: "a", run_id: "r2" }, NOW);
        assert_eq!((other.epoch, other.run_id.as_deref()), (NOW, Some("r2")));
        let clock_went_back = after(&half_open, Event::ProbeSucceeded { token: "a", run_id: "r2" }, 1);
        assert_eq!(clock_went_back.epoch, 6);
    }

    #[test]
    fn a_missed_invalidation_stops_a_probe_that_may_have_overlooked_it() {
        let half_open = Record { state: State::HalfOpen { probe: "a".into(), lease_until_ms: NOW }, ..closed() };
        let open = after(&half_open, Event::MissedInvalidation, NOW);
        assert_eq!(next(&open, Event::ProbeSucceeded { token: "a", run_id: "r1" }, NOW, RESET), None);
        assert!(open.probe_is_due(NOW + 1_000));
    }

    #[test]
    fn a_write_without_a_fence_holds_the_breaker_open_until_it_is_over() {
        let write = Event::UnfencedWrite { until_ms: NOW + 4_000 };
        let half_open = Record { state: State::HalfOpen { probe: "a".into(), lease_until_ms: NOW }, ..closed() };
        for record in [closed(), half_open, after(&closed(), Event::MissedInvalidation, NOW)] {
            let held = after(&record, write, NOW);
            assert!(!held.probe_is_due(NOW + 4_499) && held.probe_is_due(NOW + 4_500), "{record:?}");
            assert_eq!(next(&held, Event::ProbeSucceeded { token: "a", run_id: "r1" }, NOW, RESET), None);
            assert_eq!(next(&held, Event::UnfencedWrite { until_ms: NOW + 4_500 }, NOW + 500, RESET), None);
        }
    }

    #[test]
    fn a_redis_that_missed_a_drain_comes_back_in_a_new_epoch() {
        let half_open = Record { state: State::HalfOpen { probe: "a".into(), lease_until_ms: NOW }, ..closed() };
        let drained_to_another = after(&half_open, Event::AnotherRedis { run_id: "r2" }, NOW);
        let open = after(&drained_to_another, Event::MissedInvalidation, NOW);
        let probing = after(&open, Event::ProbeOffered { token: "b" }, NOW + 1_000);
        let back = after(&probing, Event::ProbeSucceeded { token: "b", run_id: "r1" }, NOW + 1_000);
        assert!(back.epoch > closed().epoch);
    }

    #[test]
    fn a_failed_probe_waits_for_another_reset() {
        let half_open = Record { state: State::HalfOpen { probe: "a".into(), lease_until_ms: NOW }, ..closed() };
        let open = after(&half_open, Event::ProbeFailed { token: "a", longest: LONGEST }, NOW);
        assert!(!open.probe_is_due(NOW + 59_999) && open.probe_is_due(NOW + 60_000));
    }

    #[test]
    fn one_instance_alone_does_not_take_the_cache_from_the_others() {
        let suspected = after(&closed(), FIRST, NOW);
        assert!(suspected.admits());
        assert_eq!(next(&suspected, FIRST, NOW + 119_999, RESET), None, "the same instance is no second voter");
        assert_eq!(suspected.failures_to_vote("first", 3, NOW, RESET), 3);
        assert_eq!(suspected.failures_to_vote("second", 3, NOW + 119_999, RESET), 1, "one failure confirms a vote");
        assert_eq!(next(&suspected, SECOND, NOW + 499, RESET), None, "others have not had the time to object");
        assert!(!after(&suspected, SECOND, NOW + 500).admits());
        assert!(!after(&suspected, SECOND, NOW + 60_499).admits(), "who was too early, when his own bar is over");
        assert!(!after(&suspected, SECOND, NOW + 119_999).admits());
        // An old vote is none.
        assert_eq!(suspected.failures_to_vote("second", 3, NOW + 120_000, RESET), 3);
        assert!(after(&suspected, SECOND, NOW + 120_000).admits());
    }

    #[test]
    fn a_vote_is_taken_back_by_whoever_redis_answers() {
        let suspected = after(&closed(), FIRST, NOW);
        let cleared = after(&suspected, Event::Answering, NOW + 499);
        assert_eq!(cleared, closed());
        assert!(after(&cleared, SECOND, NOW + 500).admits(), "the next vote is a first one again");
        assert_eq!(next(&closed(), Event::Answering, NOW, RESET), None);
        assert_eq!(next(&opened(), Event::Answering, NOW, RESET), None, "an open breaker is let in by a probe alone");
    }

    #[test]
    fn a_quarantine_needs_no_second_vote() {
        assert!(!after(&closed(), Event::MissedInvalidation, NOW).admits());
        assert!(!after(&closed(), Event::UnfencedWrite { until_ms: NOW }, NOW).admits());
    }

    #[test]
    fn probes_that_keep_failing_come_less_often_down_to_a_bound() {
        let mut record = opened();
        let mut waits = Vec::new();
        for _ in 0..40 {
            let now = record.since_ms + 3_600_000;
            let half_open = after(&record, Event::ProbeOffered { token: "a" }, now);
            record = after(&half_open, Event::ProbeFailed { token: "a", longest: LONGEST }, now);
            let State::Open { retry_at_ms } = record.state else { panic!("{record:?}") };
            waits.push((retry_at_ms - now) / 1_000);
        }
        assert_eq!(waits[..4], [60, 120, 240, 300]);
        assert!(waits[4..].iter().all(|wait| *wait == 300));
        let half_open = after(&record, Event::ProbeOffered { token: "a" }, u64::MAX / 2);
        let back = after(&half_open, Event::ProbeSucceeded { token: "a", run_id: "r1" }, NOW);
        assert_eq!(back.failed_probes, 0);
        assert_eq!(grown_reset_ms(Duration::from_secs(3_600), LONGEST, 9), 3_600_000, "a longer reset stays as it is");
    }

    #[test]
    fn what_is_forced_open_stays_so_until_another_order() {
        let forced = after(&closed(), Event::Ordered { mode: Mode::ForcedOpen, over_ms: NOW }, NOW);
        assert!(!forced.admits() && !forced.probe_is_due(NOW + 1_000_000_000));
        assert_eq!(forced.left_ms, NOW);
        for event in [FIRST, Event::MissedInvalidation, Event::UnfencedWrite { until_ms: NOW + 1 }] {
            assert_eq!(next(&forced, event, NOW, RESET), None);
        }
        // Writes that count on no probe are over before there is one.
        let back = after(&forced, Event::Ordered { mode: Mode::Auto, over_ms: NOW + 4_000 }, NOW);
        assert!(!back.admits() && !back.probe_is_due(NOW + 3_999) && back.probe_is_due(NOW + 4_000));
    }

    #[test]
    fn what_is_forced_closed_or_observed_opens_for_a_missed_invalidation_alone() {
        for mode in [Mode::ForcedClosed, Mode::Observe] {
            let record = after(&closed(), Event::Ordered { mode, over_ms: NOW }, NOW);
            assert!(record.admits());
            assert_eq!(next(&record, FIRST, NOW, RESET), None);
            let open = after(&record, Event::MissedInvalidation, NOW);
            assert!(!open.admits() && open.mode == mode);
        }
    }

    #[test]
    fn a_mode_is_told_by_the_name_that_it_is_ordered_by() {
        for mode in [Mode::Auto, Mode::ForcedOpen, Mode::ForcedClosed, Mode::Observe] {
            assert_eq!(serde_json::to_value(mode).expect("serializes"), mode.name());
        }
    }

    #[test]
    fn an_order_to_close_has_the_cache_tried_soon() {
        let order = Event::Ordered { mode: Mode::ForcedClosed, over_ms: NOW + 4_000 };
        let open = after(&opened(), order, NOW);
        assert!(!open.admits() && open.probe_is_due(NOW + 4_000));
    }

    #[test]
    fn an_instance_leaves_redis_alone_after_its_vote_until_a_reset_or_a_later_record() {
        let suspected = after(&closed(), FIRST, NOW);
        let bar = Bar::new(&suspected, Duration::from_secs(1), RESET);
        assert!(bar.holds(&suspected, Duration::from_secs(60)));
        assert!(!bar.holds(&suspected, Duration::from_secs(61)));
        assert!(!bar.holds(&Record { since_ms: NOW, ..suspected.clone() }, Duration::from_secs(2)));
        assert!(!bar.holds(&Record { mode: Mode::Observe, ..suspected }, Duration::from_secs(2)));
    }

    #[test]
    fn commands_that_fail_in_the_same_stall_are_one_failure() {
        let at = Duration::from_millis;
        let mut failures = Failures::default();
        assert_eq!(failures.count(at(0), at(50)), 1);
        assert_eq!(failures.count(at(10), at(60)), 1);
        assert_eq!(failures.count(at(49), at(99)), 1);
        assert_eq!(failures.count(at(50), at(100)), 2);
        assert_eq!(failures.count(at(120), at(170)), 3);
        failures.forget();
        assert_eq!(failures.count(at(200), at(250)), 1);
    }

    #[test]
    fn the_first_record_is_open_and_due() {
        let first = Record::initial(NOW);
        assert!(!first.admits() && first.probe_is_due(NOW));
        let text = serde_json::to_string(&first).expect("serializes");
        assert_eq!(serde_json::from_str::<Record>(&text).expect("reads back"), first);
    }

    #[test]
    fn a_lease_is_renewed_in_its_second_half_and_then_lapses() {
        let lease = Lease::new(closed(), Duration::from_millis(1_000));
        let worth = |ms| lease.worth(Duration::from_millis(ms), Duration::from_millis(500));
        assert_eq!(worth(1_249), Worth::Valid);
        assert_eq!(worth(1_250), Worth::RenewSoon);
        assert_eq!(worth(1_499), Worth::RenewSoon);
        assert_eq!(worth(1_500), Worth::Lapsed);
    }

    #[test]
    fn a_lease_that_lasts_no_longer_than_an_earlier_one_holds_the_later_record() {
        let at = Duration::from_millis;
        let open = Record { state: State::Open { retry_at_ms: 0 }, ..closed() };
        let later = Lease::new(open, at(1_400)).as_long_as(&Lease::new(closed(), at(1_000)));
        assert!(!later.shared_record().admits());
        assert_eq!(later.worth(at(1_500), at(500)), Worth::Lapsed);
        let earlier = Lease::new(closed(), at(1_000)).as_long_as(&later);
        assert_eq!(earlier.worth(at(1_499), at(500)), Worth::RenewSoon);
    }

    proptest! {
        /// Whatever happens in whatever order, the cache is admitted only through a probe that succeeded, and the epoch
        /// never goes back.
        #[test]
        fn it_closes_through_a_successful_probe_alone(steps in proptest::collection::vec((0_u8..12, 0_u64..100_000), 1..60)) {
            let mut record = Record::initial(NOW);
            let mut now = NOW;
            for (step, pause) in steps {
                now += pause;
                let event = match step {
                    0 => FIRST,
                    7 => SECOND,
                    8 => Event::Answering,
                    9 => Event::Ordered { mode: Mode::ForcedOpen, over_ms: now },
                    10 => Event::Ordered { mode: Mode::Auto, over_ms: now },
                    11 => Event::UnfencedWrite { until_ms: now + 4_000 },
                    1 => Event::MissedInvalidation,
                    2 => Event::AnotherRedis { run_id: "r3" },
                    3 => Event::ProbeOffered { token: "a" },
                    4 => Event::ProbeSucceeded { token: "a", run_id: "r1" },
                    5 => Event::ProbeSucceeded { token: "b", run_id: "r2" },
                    _ => Event::ProbeFailed { token: "a", longest: LONGEST },
                };
                if let Some(changed) = next(&record, event, now, RESET) {
                    prop_assert!(changed.epoch >= record.epoch);
                    if changed.admits() && !record.admits() {
                        let was_probing = matches!(record.state, State::HalfOpen { .. });
                        let succeeded = matches!(event, Event::ProbeSucceeded { .. });
                        prop_assert!(was_probing && succeeded);
                    }
                    record = changed;
                }
            }
        }
    }
}
