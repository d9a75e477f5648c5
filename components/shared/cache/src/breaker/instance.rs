//! What an instance keeps of the breaker for itself: the record as it last read it, and its own experience of Redis.

use super::Record;
use std::rc::Rc;
use std::time::Duration;

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
    pub fn state(&self, now: Duration, length: Duration) -> LeaseState {
        LeaseState::of(now.saturating_sub(self.read_at), length)
    }
}

/// An instance's own decision to leave Redis alone after it has voted: until then nobody else may have noticed.
#[derive(Clone, Copy, Debug)]
pub struct Cooldown {
    /// The record's change that it was decided under. A later one knows more.
    since_ms: u64,
    until: Duration,
}

impl Cooldown {
    /// A bar for one reset from `now`, on the instance's monotonic clock.
    pub fn new(record: &Record, now: Duration, reset: Duration) -> Self {
        Self { since_ms: record.since_ms, until: now + reset }
    }

    /// Whether the cache is left alone at `now`.
    pub fn holds(&self, record: &Record, now: Duration) -> bool {
        now < self.until && record.since_ms == self.since_ms && record.heeds_failures()
    }
}
