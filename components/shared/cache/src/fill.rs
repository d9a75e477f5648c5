//! The numbers and small decisions of filling the cache.

use std::time::Duration;

/// How long the lock on a missing value belongs to its leader: more than the longest database read
/// (`database_timeout_ms`, 2 s by default) and its own script calls. A leader that needs longer loses the right to store,
/// and one of those who wait takes its place.
pub const LOCK_MS: u64 = 2_500;

/// How long a request waits for another's read before it reads PostgreSQL itself: longer than a lock lasts. So a leader that has
/// died, or is slow because the machine is busy, has one successor, and not as many as wait for it.
pub const WAIT_BUDGET: Duration = Duration::from_secs(3);
/// The first pause between two lookups. It doubles up to [`MAX_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(2);
const MAX_WAIT: Duration = Duration::from_millis(100);

/// The most pages of a list that are kept. With 50 properties of 1 KB a page that is 3 MB for a tenant at the very most.
pub const MAX_LIST_PAGES: u64 = 64;

/// The largest answer that is stored, in bytes: a page of 50 properties with every text at its longest is about 50 KB in
/// ASCII and four times that at worst.
pub const MAX_STORED_BYTES: usize = 256 * 1024;

/// How long "not there" is remembered.
const NOT_THERE_MS: u64 = 30_000;

/// The pause before the given attempt (the first is 0), or `None` when `waited` has used up the budget.
pub fn wait_before_attempt(attempt: u32, waited: Duration) -> Option<Duration> {
    let left = WAIT_BUDGET.checked_sub(waited).filter(|left| !left.is_zero())?;
    Some(FIRST_WAIT.saturating_mul(1 << attempt.min(10)).min(MAX_WAIT).min(left))
}

/// The time to live of an entry in milliseconds: `base` spread by ±10 %, so that what was filled together does not run out
/// together. `random` is any number.
pub fn ttl_ms(base: Duration, found: bool, random: u32) -> u64 {
    if !found {
        return NOT_THERE_MS;
    }
    let base = u64::try_from(base.as_millis()).unwrap_or(u64::MAX / 4);
    let spread = base / 5;
    base - spread / 2 + spread * u64::from(random) / u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_and_ends_within_its_budget() {
        let mut waited = Duration::ZERO;
        let mut attempts = 0;
        let mut last = Duration::ZERO;
        while let Some(pause) = wait_before_attempt(attempts, waited) {
            assert!(pause >= last.min(MAX_WAIT) || waited + pause == WAIT_BUDGET);
            assert!(pause <= MAX_WAIT);
            last = pause;
            waited += pause;
            attempts += 1;
            assert!(attempts < 100, "it must end");
        }
        assert_eq!(waited, WAIT_BUDGET);
    }

    #[test]
    fn the_time_to_live_is_spread_by_a_tenth() {
        let base = Duration::from_secs(600);
        assert_eq!(ttl_ms(base, true, 0), 540_000);
        assert_eq!(ttl_ms(base, true, u32::MAX), 660_000);
        assert_eq!(ttl_ms(base, false, 7), 30_000);
    }
}
