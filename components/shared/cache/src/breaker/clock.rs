//! The clock that the record's times are told by, where it is not the host's.

use crate::protocol::CLOCK_SKEW_MS;
use std::time::Duration;

/// The slowest answer whose clock is taken while a quicker one is known: half of what waits allow for clocks that differ. The
/// other half is [`LATEST_SWAP_MS`].
const SLOWEST: Duration = Duration::from_millis(CLOCK_SKEW_MS / 2);
/// How old the times of a change may be when PostgreSQL makes it, in milliseconds by its own clock. It refuses a later change, and
/// the instance decides anew.
pub const LATEST_SWAP_MS: u64 = CLOCK_SKEW_MS / 2;

/// What an instance knows of PostgreSQL's clock, where the record is in PostgreSQL. So no clock of a host counts.
///
/// ```
/// use cache::breaker::RecordClock;
/// use std::time::Duration;
///
/// let at = Duration::from_millis;
/// let mut clock = RecordClock::default();
/// assert_eq!(clock.now_ms(at(0)), None);
/// clock.learn(1_000_000, (at(10), at(14)));
/// assert_eq!(clock.now_ms(at(14)), Some(1_000_004));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordClock {
    /// What the clock said, and when it was asked on the instance's monotonic clock.
    told: Option<(u64, Duration)>,
}

impl RecordClock {
    /// Learns what the clock said in answer to a statement, which was sent and answered at these moments of the instance's
    /// monotonic clock.
    pub fn learn(&mut self, clock_ms: u64, (sent_at, answered_at): (Duration, Duration)) {
        if self.told.is_none() || answered_at.saturating_sub(sent_at) <= SLOWEST {
            self.told = Some((clock_ms, sent_at));
        }
    }

    /// Unix time in milliseconds by that clock, at the latest; `None` before it has said anything. What it is too late by, less than
    /// the answer took, is less than what a wait for leases allows for.
    pub fn now_ms(&self, now: Duration) -> Option<u64> {
        let (clock_ms, asked_at) = self.told?;
        let since = u64::try_from(now.saturating_sub(asked_at).as_millis()).unwrap_or(u64::MAX);
        Some(clock_ms.saturating_add(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_clock_goes_on_from_when_it_was_asked() {
        let mut clock = RecordClock::default();
        clock.learn(1_000_000, (at(100), at(120)));
        assert_eq!(clock.now_ms(at(120)), Some(1_000_020));
        assert_eq!(clock.now_ms(at(5_120)), Some(1_005_020));
        clock.learn(2_000_000, (at(6_000), at(6_001)));
        assert_eq!(clock.now_ms(at(6_001)), Some(2_000_001), "another server, after a failover");
    }

    #[test]
    fn a_slow_answer_does_not_replace_a_quick_one() {
        let mut clock = RecordClock::default();
        clock.learn(1_000_000, (at(0), at(2_000)));
        assert_eq!(clock.now_ms(at(2_000)), Some(1_002_000), "nothing else is known");
        clock.learn(1_002_100, (at(2_100), at(2_101)));
        clock.learn(1_009_000, (at(2_200), at(9_200)));
        assert_eq!(clock.now_ms(at(9_200)), Some(1_009_200));
    }

    #[test]
    fn what_a_wait_allows_for_covers_an_old_change_and_a_slow_answer() {
        assert!(SLOWEST + at(LATEST_SWAP_MS) <= at(CLOCK_SKEW_MS));
    }

    #[test]
    fn the_schema_refuses_a_change_as_late() {
        let migration = include_str!("../../../../../infra/migrations/0018_breaker_record.sql");
        assert!(migration.contains(&format!("decided_ms + {LATEST_SWAP_MS}")));
    }
}
