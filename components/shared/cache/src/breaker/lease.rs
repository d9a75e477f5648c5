//! The record as an instance last read it.

use super::record::Record;
use std::rc::Rc;
use std::time::Duration;

/// What an instance last read of the record, and when: it may act on it for one lease.
#[derive(Clone, Debug)]
pub struct Lease {
    record: Rc<Record>,
    read_at: Duration,
}

/// How much a lease is still worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// Act on it.
    Valid,
    /// Act on it, and renew it in the background.
    RenewSoon,
    /// Read the record again before acting.
    Lapsed,
}

impl LeaseState {
    /// What a lease of this `length` is worth at this `age`.
    pub fn of(age: Duration, length: Duration) -> Self {
        if age >= length {
            Self::Lapsed
        } else if age >= length / 2 {
            Self::RenewSoon
        } else {
            Self::Valid
        }
    }
}

impl Lease {
    /// A lease on `record`. `read_at` is when its reading *began*, on the instance's monotonic clock: a swap that came
    /// between is then noticed one lease after it at the latest.
    pub fn new(record: Record, read_at: Duration) -> Self {
        Self { record: Rc::new(record), read_at }
    }

    /// The record as it was read.
    pub fn shared_record(&self) -> Rc<Record> {
        Rc::clone(&self.record)
    }

    /// Whether the record had been read before `sent_at`, on the instance's monotonic clock.
    pub fn was_read_before(&self, sent_at: Duration) -> bool {
        self.read_at <= sent_at
    }

    /// When a lease of this `length` lapses, on the instance's monotonic clock.
    pub fn lapses_at(&self, length: Duration) -> Duration {
        self.read_at + length
    }

    /// What the lease is worth at `now`, for leases of `length`.
    pub fn state(&self, now: Duration, length: Duration) -> LeaseState {
        LeaseState::of(now.saturating_sub(self.read_at), length)
    }
}
