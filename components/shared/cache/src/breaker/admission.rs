//! What an instance may do with the cache, by what it last read of the record.

use super::lease::{Lease, LeaseState};
use super::record::Record;
use std::rc::Rc;
use std::time::Duration;

/// What an instance knows of the breaker without a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The cache may be used.
    Admitted(Rc<Record>),
    /// The record admitted it, and is too old: read the record again, and use an answer of Redis only if it [`still_counts`].
    Lapsed(Rc<Record>),
    /// The record is unknown, or barred the cache and is too old.
    Unknown,
    /// The cache may not be used.
    Barred,
}

/// What a lease allows at `now`, for leases of `length`.
pub fn admission(lease: Option<&Lease>, now: Duration, length: Duration) -> Admission {
    let Some(lease) = lease else {
        return Admission::Unknown;
    };
    let record = lease.shared_record();
    match (record.admits(), lease.state(now, length)) {
        (true, LeaseState::Lapsed) => Admission::Lapsed(record),
        (true, LeaseState::Valid | LeaseState::RenewSoon) => Admission::Admitted(record),
        (false, LeaseState::Lapsed) => Admission::Unknown,
        (false, LeaseState::Valid | LeaseState::RenewSoon) => Admission::Barred,
    }
}

/// Whether an answer of Redis to a request under one record may be used under the record that was read meanwhile.
pub fn still_counts(asked_under: &Record, renewed: &Record) -> bool {
    renewed.admits() && renewed.epoch == asked_under.epoch
}

#[cfg(test)]
mod tests {
    use super::super::record::State;
    use super::*;

    fn record(state: State) -> Record {
        Record { state, ..Record::initial(1) }
    }

    #[test]
    fn only_an_admitting_record_under_a_valid_lease_admits() {
        let at = Duration::from_millis;
        let closed = Lease::new(record(State::Closed), at(0));
        let open = Lease::new(record(State::Open { retry_at_ms: 0 }), at(0));
        assert!(matches!(admission(Some(&closed), at(499), at(500)), Admission::Admitted(_)));
        assert!(matches!(admission(Some(&closed), at(500), at(500)), Admission::Lapsed(_)));
        assert_eq!(admission(Some(&open), at(499), at(500)), Admission::Barred);
        assert_eq!(admission(Some(&open), at(500), at(500)), Admission::Unknown);
        assert_eq!(admission(None, at(0), at(500)), Admission::Unknown);
    }

    #[test]
    fn an_answer_asked_for_under_another_epoch_does_not_count() {
        let closed = record(State::Closed);
        assert!(still_counts(&closed, &closed));
        assert!(!still_counts(&closed, &Record { epoch: closed.epoch + 1, ..closed.clone() }));
        assert!(!still_counts(&closed, &record(State::Open { retry_at_ms: 0 })));
    }
}
