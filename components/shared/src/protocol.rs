//! What a read and a write decide about the cache, as pure functions. [`crate::spin`] calls them between its I/O, and the
//! model checker (`tests/model.rs`) explores them together with [`crate::breaker`] over all interleavings.

use crate::breaker::{Lease, Record, State, Worth};
use std::rc::Rc;
use std::time::Duration;

/// What an instance knows of the breaker without asking anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The cache may be used.
    Admitted(Rc<Record>),
    /// It could be used when last looked: look again, and use what Redis says only if it [`still_counts`].
    Lapsed(Rc<Record>),
    /// Nothing is known, or what was known said no and is too old.
    Unknown,
    /// The cache may not be used.
    Barred,
}

/// What a lease allows at `now`, for leases of `length`.
pub fn standing(lease: Option<&Lease>, now: Duration, length: Duration) -> Standing {
    let Some(lease) = lease else {
        return Standing::Unknown;
    };
    let record = lease.shared_record();
    match (record.admits(), lease.worth(now, length)) {
        (true, Worth::Lapsed) => Standing::Lapsed(record),
        (true, Worth::Valid | Worth::RenewSoon) => Standing::Admitted(record),
        (false, Worth::Lapsed) => Standing::Unknown,
        (false, Worth::Valid | Worth::RenewSoon) => Standing::Barred,
    }
}

/// Whether what Redis said, asked under one record, may be used under the one that was read meanwhile.
pub fn still_counts(asked_under: &Record, renewed: &Record) -> bool {
    renewed.admits() && renewed.epoch == asked_under.epoch
}

/// How far the clocks of two hosts may differ, in milliseconds. Only the wait for another's leases compares them.
const CLOCK_SKEW_MS: u64 = 500;

/// How long to wait until no instance can still act on a lease from before the breaker was opened, whoever opened it.
/// `now_ms` is Unix time in milliseconds, `lease` how long a lease lasts.
fn until_leases_are_over(record: &Record, now_ms: u64, lease: Duration) -> Duration {
    let longest = lease + Duration::from_millis(CLOCK_SKEW_MS);
    longest.saturating_sub(Duration::from_millis(now_ms.saturating_sub(record.left_ms)))
}

/// What a write does before its statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeforeStatement {
    /// Put up the fence; if that fails, [`BeforeStatement::Quarantine`].
    Fence,
    /// Take the cache out of use for all instances and wait one lease.
    Quarantine,
    /// The cache is out of use already: wait until the last lease from before is over, which is mostly long ago.
    Wait(Duration),
}

/// What a write does before its statement, given the breaker's record, or `None` when it cannot be read.
pub fn before_statement(record: Option<&Record>, now_ms: u64, lease: Duration) -> BeforeStatement {
    match record {
        Some(record) if record.admits() => BeforeStatement::Fence,
        Some(record) => BeforeStatement::Wait(until_leases_are_over(record, now_ms, lease)),
        None => BeforeStatement::Quarantine,
    }
}

/// What a write without a fence does after its statement, before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterStatement {
    /// Invalidate; if that fails, [`AfterStatement::Quarantine`].
    Invalidate,
    /// Take the cache out of use for all instances and wait one lease.
    Quarantine,
    /// The outbox row does it. Wait until the last lease from before is over: the breaker may have been closed for a moment
    /// while the statement ran.
    Wait(Duration),
}

/// What a write without a fence does after its statement, given the breaker's record as it is *now*, or `None` when it
/// cannot be read.
///
/// While the breaker is open, a probe that begins from now on finds the outbox row. If one has begun already, it may have
/// looked before the row was there.
pub fn after_statement(record: Option<&Record>, now_ms: u64, lease: Duration) -> AfterStatement {
    let Some(record) = record else {
        return AfterStatement::Quarantine;
    };
    match record.state {
        State::Open { .. } => AfterStatement::Wait(until_leases_are_over(record, now_ms, lease)),
        State::HalfOpen { .. } | State::Closed => AfterStatement::Invalidate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(state: State) -> Record {
        Record { state, ..Record::initial(1) }
    }

    #[test]
    fn only_an_admitting_record_under_a_valid_lease_admits() {
        let at = Duration::from_millis;
        let closed = Lease::new(record(State::Closed), at(0));
        let open = Lease::new(record(State::Open { retry_at_ms: 0 }), at(0));
        assert!(matches!(standing(Some(&closed), at(499), at(500)), Standing::Admitted(_)));
        assert!(matches!(standing(Some(&closed), at(500), at(500)), Standing::Lapsed(_)));
        assert_eq!(standing(Some(&open), at(499), at(500)), Standing::Barred);
        assert_eq!(standing(Some(&open), at(500), at(500)), Standing::Unknown);
        assert_eq!(standing(None, at(0), at(500)), Standing::Unknown);
    }

    #[test]
    fn an_answer_asked_for_under_another_epoch_does_not_count() {
        let closed = record(State::Closed);
        assert!(still_counts(&closed, &closed));
        assert!(!still_counts(&closed, &Record { epoch: closed.epoch + 1, ..closed.clone() }));
        assert!(!still_counts(&closed, &record(State::Open { retry_at_ms: 0 })));
    }

    #[test]
    fn a_write_leaves_to_the_outbox_only_what_a_later_probe_will_find() {
        let after = |state| after_statement(Some(&record(state)), 10_000, Duration::from_millis(500));
        let probing = State::HalfOpen { probe: "p".into(), lease_until_ms: 0 };
        assert_eq!(after(State::Open { retry_at_ms: 0 }), AfterStatement::Wait(Duration::ZERO));
        assert_eq!(after(probing), AfterStatement::Invalidate);
        assert_eq!(after(State::Closed), AfterStatement::Invalidate);
        assert_eq!(after_statement(None, 0, Duration::ZERO), AfterStatement::Quarantine);
    }

    #[test]
    fn a_write_that_finds_the_breaker_just_opened_waits_for_the_leases_from_before() {
        let open = Record { left_ms: 10_000, ..record(State::Open { retry_at_ms: 0 }) };
        let wait = |now_ms| before_statement(Some(&open), now_ms, Duration::from_millis(500));
        assert_eq!(wait(10_000), BeforeStatement::Wait(Duration::from_millis(1_000)));
        assert_eq!(wait(10_400), BeforeStatement::Wait(Duration::from_millis(600)));
        assert_eq!(wait(11_000), BeforeStatement::Wait(Duration::ZERO));
        // A clock that is behind does not make it wait for longer.
        assert_eq!(wait(0), BeforeStatement::Wait(Duration::from_millis(1_000)));
    }
}
