//! Deadlines: the platform's own calls have none.

use super::alarm;
use super::clock::{elapsed, sleep};
use futures::future::{Either, select};
use std::pin::pin;
use std::time::Duration;

/// Enough for the platform to tell of an answer that is there already.
const ANOTHER_LOOK: Duration = Duration::from_millis(1);

/// The result of `work`, or `None` when it takes longer than `deadline`; the work is then cancelled. The platform's own
/// calls have no timeout at all, so every one of them goes through here.
pub async fn within<T>(deadline: Duration, work: impl Future<Output = T>) -> Option<T> {
    timed(deadline, work).await.0
}

/// [`within`], and how long it took.
///
/// An instance that stands still (compare-and-swap blocks it, or the machine has no processor for it) finds the answer and
/// the end of the deadline side by side when it goes on, and may be told of either first. So what it was late itself, and at
/// least `ANOTHER_LOOK`, is not held against `work`.
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
