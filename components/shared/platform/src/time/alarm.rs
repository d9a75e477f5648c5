//! Waking at a deadline, without a timer of the platform for each.
//!
//! Every call of Redis and PostgreSQL has a deadline, and hardly any reaches it. A timer for each costs the platform more
//! than the call: a task, an entry among its timers, and the cancelling of both. So all who wait in an instance share one,
//! which is there only while somebody waits.

use super::clock::{elapsed, sleep};
use futures::channel::oneshot;
use futures::future::select;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How long the shared timer sleeps at most before it looks whether anybody still waits. So long it keeps an instance from
/// being idle; and twenty looks a second are nothing beside the requests of a busy one.
const TICK: Duration = Duration::from_millis(50);

thread_local! {
    // The executor's: a deadline belongs to whatever task waits, of whichever request.
    /// Who waits, each with a number of its own. They are a few for each request that an instance works on (sixteen requests, unless the
    /// host is told otherwise), so a search through a list costs less than the nodes that a map allocates.
    static WAITING: RefCell<Vec<(u64, Waker)>> = const { RefCell::new(Vec::new()) };
    static NEXT_NUMBER: Cell<u64> = const { Cell::new(0) };
    /// When the timers end that are under way: another is started for a deadline that is nearer than all of them.
    /// To drop the other half ends one early.
    static TIMERS: RefCell<Vec<(Duration, oneshot::Sender<()>)>> = const { RefCell::new(Vec::new()) };
}

/// Ends the timers if nobody waits, so that the instance is idle now and not after up to `TICK`. For when an instance may have done
/// all that it will: after every request this would cost more than the timers do.
pub fn end_unused() {
    if WAITING.with_borrow(Vec::is_empty) {
        TIMERS.take();
    }
}

/// Resolves when the instance's monotonic clock has reached `deadline`.
pub fn at(deadline: Duration) -> Alarm {
    Alarm { deadline, number: NEXT_NUMBER.replace(NEXT_NUMBER.get().wrapping_add(1)) }
}

/// See [`at`].
pub struct Alarm {
    deadline: Duration,
    number: u64,
}

impl Future for Alarm {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let now = elapsed();
        if now >= self.deadline {
            return Poll::Ready(());
        }
        let mine = (self.number, context.waker().clone());
        let before =
            WAITING.with_borrow_mut(|waiting| match waiting.iter_mut().find(|(number, _)| *number == mine.0) {
                Some(place) => Some(std::mem::replace(place, mine)),
                None => {
                    waiting.push(mine);
                    None
                }
            });
        drop(before);
        let end = self.deadline.min(now + TICK);
        if TIMERS.with_borrow(|timers| timers.iter().all(|(timer, _)| *timer > end)) {
            crate::sdk::wasip3::spawn(Timer::until(end).run());
            // What is spawned is first polled with the next poll of its request (wit-bindgen 0.57), for which that request may
            // wait as long as for what it has a deadline.
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // The waker is dropped behind the borrow.
        drop(WAITING.with_borrow_mut(|waiting| {
            let index = waiting.iter().position(|(number, _)| *number == self.number)?;
            Some(waiting.swap_remove(index))
        }));
    }
}

/// A timer under way. When it ends everybody looks at the clock, and whoever goes on waiting sees to it that there is
/// another. So it is also when it is cut off, together with the request that started it.
struct Timer {
    end: Duration,
    unused: oneshot::Receiver<()>,
}

impl Timer {
    fn until(end: Duration) -> Self {
        let (kept, unused) = oneshot::channel();
        TIMERS.with_borrow_mut(|timers| timers.push((end, kept)));
        Self { end, unused }
    }

    async fn run(mut self) {
        select(pin!(sleep(self.end.saturating_sub(elapsed()))), &mut self.unused).await;
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        TIMERS.with_borrow_mut(|timers| {
            if let Some(index) = timers.iter().position(|(end, _)| *end == self.end) {
                timers.swap_remove(index);
            }
        });
        WAITING.take().into_iter().for_each(|(_, waker)| waker.wake());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_ends_early_when_nobody_waits_for_it() {
        let mut timer = Timer::until(Duration::from_secs(1));
        WAITING.with_borrow_mut(|waiting| waiting.push((0, Waker::noop().clone())));
        end_unused();
        assert_eq!(timer.unused.try_recv(), Ok(None), "somebody waits");
        WAITING.take();
        end_unused();
        assert_eq!(timer.unused.try_recv(), Err(oneshot::Canceled));
    }
}
