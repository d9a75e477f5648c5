//! How fast a task of operators asks PostgreSQL, so that clients hardly notice it.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Statements a second that an operator may ask for. Less would take longer than operators wait; more is a load test.
pub const RATES: RangeInclusive<u64> = 10..=200;
/// Statements a second unless the operator says otherwise: a fiftieth of what a PostgreSQL of two cores answers.
pub const DEFAULT_RATE: u64 = 50;
/// How long one request goes on beginning new work. Proxies wait for an answer for a minute or more, and
/// tools for ten seconds.
pub const WORKING_TIME: Duration = Duration::from_secs(5);

/// When the next statement may be sent. There is one at a time.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    interval: Duration,
    next: Duration,
}

impl Pace {
    /// At most `rate` statements a second.
    pub fn new(rate: u64) -> Self {
        Self { interval: Duration::from_secs(1) / u32::try_from(rate.max(1)).unwrap_or(u32::MAX), next: Duration::ZERO }
    }

    /// How long to wait at `now`, on the instance's monotonic clock.
    pub fn wait(&self, now: Duration) -> Duration {
        self.next.saturating_sub(now)
    }

    /// A statement was under way from `began` to `ended`. The next one waits for its turn by the rate, and at least for as
    /// long as PostgreSQL took: while it is busy the task takes no more than half of one connection's time.
    pub fn sent(&mut self, began: Duration, ended: Duration) {
        self.next = (began + self.interval).max(ended + ended.saturating_sub(began));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn statements_follow_each_other_by_the_rate() {
        let mut pace = Pace::new(50);
        let (mut now, mut began) = (MS(7), Vec::new());
        while began.len() < 200 {
            now += pace.wait(now);
            began.push(now);
            pace.sent(now, now + MS(1));
            now += MS(1);
        }
        // The fifty-first does not begin in the same second.
        assert!(began.windows(51).all(|some| some[50] - some[0] == MS(1_000)), "{began:?}");
    }

    #[test]
    fn a_slow_postgresql_is_left_alone_for_as_long_as_it_took() {
        let mut pace = Pace::new(200);
        pace.sent(MS(100), MS(400));
        assert_eq!(pace.wait(MS(400)), MS(300));
        assert_eq!(pace.wait(MS(800)), Duration::ZERO);
    }
}
