//! Waiting for [`Pace`].

use crate::time::clock;
use rental::operator::pace::Pace;
use std::cell::Cell;

/// One statement at a time, and not too soon after the one before.
pub struct Pacing(Cell<Pace>);

impl Pacing {
    /// At most `rate` statements a second.
    pub fn new(rate: u64) -> Self {
        Self(Cell::new(Pace::new(rate)))
    }

    /// Waits for a turn. Whoever is going to take a lock waits before: others wait for who holds it.
    pub async fn wait(&self) {
        let wait = self.0.get().wait(clock::elapsed());
        if !wait.is_zero() {
            clock::sleep(wait).await;
        }
    }

    /// Runs a statement.
    pub async fn take<T>(&self, statement: impl Future<Output = T>) -> T {
        let began = clock::elapsed();
        let answer = statement.await;
        let mut pace = self.0.get();
        pace.sent(began, clock::elapsed());
        self.0.set(pace);
        answer
    }
}
