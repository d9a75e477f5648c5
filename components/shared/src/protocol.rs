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

/// What a write does before its statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeforeStatement {
    /// Put up the fence; if that fails, [`BeforeStatement::Quarantine`].
    Fence,
    /// Take the cache out of use for all instances and wait one lease.
    Quarantine,
    /// The cache is out of use already.
    GoOn,
}

/// What a write does before its statement, given the breaker's record, or `None` when it cannot be read.
pub fn before_statement(record: Option<&Record>) -> BeforeStatement {
    match record {
        Some(record) if record.admits() => BeforeStatement::Fence,
        Some(_) => BeforeStatement::GoOn,
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
    /// Nothing: the outbox row does it.
    LeaveToOutbox,
}

/// What a write without a fence does after its statement, given the breaker's record as it is *now*, or `None` when it
/// cannot be read.
///
/// While the breaker is open, a probe that begins from now on finds the outbox row. If one has begun already, it may have
/// looked before the row was there.
pub fn after_statement(record: Option<&Record>) -> AfterStatement {
    match record.map(|record| &record.state) {
        Some(State::Open { .. }) => AfterStatement::LeaveToOutbox,
        Some(State::HalfOpen { .. } | State::Closed) => AfterStatement::Invalidate,
        None => AfterStatement::Quarantine,
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
        let probing = State::HalfOpen { probe: "p".into(), lease_until_ms: 0 };
        assert_eq!(after_statement(Some(&record(State::Open { retry_at_ms: 0 }))), AfterStatement::LeaveToOutbox);
        assert_eq!(after_statement(Some(&record(probing))), AfterStatement::Invalidate);
        assert_eq!(after_statement(Some(&record(State::Closed))), AfterStatement::Invalidate);
        assert_eq!(after_statement(None), AfterStatement::Quarantine);
    }
}
