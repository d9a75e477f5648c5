//! The lock on a value, as one reader sees it. `lookup.lua` takes it.

use super::time_budget::TimeBudget;
use crate::breaker::attempt::attempt;
use crate::breaker::usable::Usable;
use crate::instance::Instance;
use crate::redis::Connection;
use crate::time::token;
use cache::{LOCK_MS, Lookup, RedisFailure, Script, Slot, grants_lock};
use rental::error::Error;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// A read's claim to the lock on a value. Dropped while the lock may be held, it has the lock given back in the background:
/// when the script that takes it, or gives it back, was not answered in time, and when the request itself is dropped. Other
/// readers of the value would else wait for this one until the lock runs out.
pub struct Claim<'a> {
    instance: &'a Rc<Instance>,
    usable: &'a Usable,
    slot: &'a Slot<'a>,
    budget: &'a TimeBudget,
    /// By which the scripts know this reader.
    pub token: String,
    may_hold: Cell<bool>,
}

impl<'a> Claim<'a> {
    /// A claim that nothing has been sent for yet.
    ///
    /// # Errors
    /// As [`token`].
    pub fn new(
        instance: &'a Rc<Instance>,
        usable: &'a Usable,
        slot: &'a Slot<'a>,
        budget: &'a TimeBudget,
    ) -> Result<Self, Error> {
        Ok(Self { instance, usable, slot, budget, token: token()?, may_hold: Cell::new(false) })
    }

    /// Takes the lock, unless there is a value, another reader's lock or a fence (`lookup.lua`). `rejected` is the print of what
    /// was found before and is no entry. `None` when Redis did not answer in time.
    pub async fn take(&self, rejected: &[u8]) -> Option<Lookup> {
        let lookup = Script::lookup(self.slot, &self.token, LOCK_MS, rejected);
        let answer = self.run(self.usable.with_demand(self.instance, lookup)).await;
        answer.and_then(|answer| Lookup::parse(answer).ok())
    }

    /// Gives the lock back.
    pub async fn release(&self) {
        self.run(Script::release(self.slot, &self.token)).await;
    }

    /// Runs a script that takes the lock or gives it back.
    pub async fn run(&self, script: Script) -> Option<Vec<Vec<u8>>> {
        let running = self.budget.spend(|left| self.usable.connection.run(left, script));
        attempt(self.instance, self.learn(running)).await
    }

    /// Waits for the answer of a script that takes the lock or gives it back, and remembers what it says of the lock.
    async fn learn(
        &self,
        running: impl Future<Output = Result<Vec<Vec<u8>>, RedisFailure>>,
    ) -> Result<Vec<Vec<u8>>, RedisFailure> {
        // Until it has answered nobody knows.
        let before = self.may_hold.replace(true);
        let answer = running.await;
        match &answer {
            Ok(answer) => self.may_hold.set(grants_lock(answer)),
            // It has done nothing.
            Err(failure) if failure.is_answer() => self.may_hold.set(before),
            Err(_) => {}
        }
        answer
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.may_hold.get() {
            let script = Script::release(self.slot, &self.token);
            crate::sdk::wasip3::spawn(give_back(Rc::clone(self.instance), Rc::clone(&self.usable.connection), script));
        }
    }
}

/// Gives a lock back. By the same connection, since Redis runs what comes by it in order: however long it stands still,
/// this cannot overtake the script that takes the lock. By a new one if that has broken off. A lock that was taken before
/// this is given up has run out by then.
async fn give_back(instance: Rc<Instance>, connection: Rc<Connection>, script: Script) {
    let deadline = Duration::from_millis(LOCK_MS);
    if let Err(RedisFailure::Unavailable(_)) = connection.run_aside(deadline, script.clone()).await {
        connection.give_up();
        if let Ok(connection) = instance.redis.connection(&instance.config).await {
            // If it is not given back now, it runs out by itself.
            let _ = connection.run_aside(deadline, script).await;
        }
    }
}
