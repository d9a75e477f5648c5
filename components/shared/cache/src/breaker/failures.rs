//! An instance's own experience of Redis.

use super::record::Record;
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

/// An instance's own decision to leave Redis alone after it has voted: other instances may not have noticed yet.
#[derive(Clone, Copy, Debug)]
pub struct Cooldown {
    /// The record's change that it was decided under. A later one knows more.
    since_ms: u64,
    until: Duration,
}

impl Cooldown {
    /// A cooldown of one reset from `now`, on the instance's monotonic clock.
    pub fn new(record: &Record, now: Duration, reset: Duration) -> Self {
        Self { since_ms: record.since_ms, until: now + reset }
    }

    /// Whether the cache is left alone at `now`.
    pub fn holds(&self, record: &Record, now: Duration) -> bool {
        now < self.until && record.since_ms == self.since_ms && record.heeds_failures()
    }
}
