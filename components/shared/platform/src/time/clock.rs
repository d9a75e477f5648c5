//! The clocks of an instance.

use crate::scope;
use std::cell::OnceCell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

thread_local! {
    /// When the instance started: the zero of [`elapsed`]. The clock is the executor's, and older than the configuration.
    static START: OnceCell<Instant> = const { OnceCell::new() };
}

/// Time on the instance's monotonic clock. While a request computes it stands still: it is asked for in a dozen places, and
/// asking the platform costs more than what passes in between.
pub fn elapsed() -> Duration {
    scope::moment(running)
}

/// [`elapsed`] after a call that has blocked the instance.
pub fn elapsed_after_blocking() -> Duration {
    scope::forget_moment();
    elapsed()
}

fn running() -> Duration {
    START.with(|start| start.get_or_init(Instant::now).elapsed())
}

/// Unix time in milliseconds.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Unix time, to the millisecond.
pub fn unix() -> Duration {
    Duration::from_millis(unix_ms())
}

/// Pauses the task.
pub async fn sleep(duration: Duration) {
    crate::sdk::time::sleep(duration).await;
}
