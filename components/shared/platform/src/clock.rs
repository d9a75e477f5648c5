//! Time, deadlines and randomness.

use super::alarm;
use rental::error::Error;
use crate::scope;
use futures::future::{Either, select};
use std::cell::OnceCell;
use std::pin::pin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Enough for the platform to tell of an answer that is there already.
const ANOTHER_LOOK: Duration = Duration::from_millis(1);

thread_local! {
    /// When the instance started: the zero of [`elapsed`].
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
    spin_sdk::time::sleep(duration).await;
}

/// The result of `work`, or `None` when it takes longer than `deadline`; the work is then cancelled. The platform's own
/// calls have no timeout at all, so every one of them goes through here.
pub async fn within<T>(deadline: Duration, work: impl Future<Output = T>) -> Option<T> {
    timed(deadline, work).await.0
}

/// [`within`], and how long it took.
///
/// An instance that stands still (compare-and-swap blocks it, or the machine has no processor for it) finds the answer and
/// the end of the deadline side by side when it goes on, and may be told of either first. So what it was late itself, and at
/// least [`ANOTHER_LOOK`], is not held against `work`.
pub async fn timed<T>(deadline: Duration, work: impl Future<Output = T>) -> (Option<T>, Duration) {
    let began = elapsed();
    let mut work = pin!(work);
    let result = match select(work.as_mut(), alarm::at(began + deadline)).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => {
            let late = elapsed().saturating_sub(began + deadline);
            match select(work, pin!(sleep(late.clamp(ANOTHER_LOOK, deadline.max(ANOTHER_LOOK))))).await {
                Either::Left((result, _)) => Some(result),
                Either::Right(_) => None,
            }
        }
    };
    (result, elapsed().saturating_sub(began))
}

/// Random bytes from the platform.
///
/// # Errors
/// [`Error::Internal`] when it has none, which no supported platform does.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Internal(format!("no randomness: {error}")))?;
    Ok(bytes)
}

/// A token that nobody else has.
pub fn token() -> Result<String, Error> {
    Ok(format!("{:032x}", u128::from_le_bytes(random()?)))
}

/// A new id, time-ordered, made by `make` from Unix milliseconds and random bytes.
///
/// # Errors
/// As [`random`].
pub fn new_id<T>(make: impl Fn(u64, &[u8; 10]) -> T) -> Result<T, Error> {
    Ok(make(unix_ms(), &random()?))
}
