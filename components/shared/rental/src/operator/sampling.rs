//! Which hits are compared with PostgreSQL.

use std::time::Duration;

/// One hit in 64 is compared: one statement by primary key.
const ONE_IN: u8 = 64;
/// The shortest time between two comparisons of an instance. Without it a busy one would send 100 statements a second.
const INTERVAL: Duration = Duration::from_secs(1);

/// When an instance compares its next hit.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// Hits until the next turn.
    left: u8,
    /// When the last turn was, on the instance's monotonic clock.
    last: Option<Duration>,
}

impl Sampling {
    /// Of an instance that begins. `random` spreads where instances start: many serve fewer than 64 hits.
    pub fn new(random: u8) -> Self {
        Self { left: random % ONE_IN, last: None }
    }

    /// Whether it is this hit's turn. One that comes too early stays due.
    pub fn is_due(&mut self, now: impl FnOnce() -> Duration) -> bool {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return false;
        }
        let now = now();
        if self.last.is_some_and(|last| now.saturating_sub(last) < INTERVAL) {
            return false;
        }
        *self = Self { left: ONE_IN - 1, last: Some(now) };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `hits` are compared, one every `gap`.
    fn compared(sampling: &mut Sampling, hits: u32, gap: Duration) -> usize {
        (0..hits).filter(|hit| sampling.is_due(|| gap * *hit)).count()
    }

    #[test]
    fn of_hits_that_are_far_apart_one_in_64_is_compared() {
        assert_eq!(compared(&mut Sampling::new(0), 640, Duration::from_millis(20)), 10);
    }

    #[test]
    fn a_busy_instance_compares_one_hit_a_second() {
        assert_eq!(compared(&mut Sampling::new(0), 100_000, Duration::from_micros(100)), 10);
    }

    #[test]
    fn short_lived_instances_compare_one_in_64_of_all_their_hits() {
        let first_hits = (0..=u8::MAX).filter(|random| Sampling::new(*random).is_due(|| Duration::ZERO));
        assert_eq!(first_hits.count(), 256 / usize::from(ONE_IN));
    }
}
