//! What a read leaves to the background when it does not learn in time what Redis has done for it.

use crate::instance::Instance;
use crate::redis::Connection;
use crate::time::token;
use cache::{LOCK_MS, RedisFailure, Script, Slot, grants_lock};
use rental::error::Error;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// A read's claim to the lock on a value. Dropped while the lock may be held, it has the lock given back in the background:
/// when the script that takes it, or gives it back, was not answered in time, and when the request itself is dropped. Other
/// readers of the value would else wait for this one until the lock runs out.
pub struct Claim<'a> {
    instance: &'a Rc<Instance>,
    connection: &'a Rc<Connection>,
    slot: &'a Slot<'a>,
    /// By which the scripts know this reader.
    pub token: String,
    may_hold: Cell<bool>,
}

impl<'a> Claim<'a> {
    /// A claim that nothing has been sent for yet.
    ///
    /// # Errors
    /// As [`token`].
    pub fn new(instance: &'a Rc<Instance>, connection: &'a Rc<Connection>, slot: &'a Slot<'a>) -> Result<Self, Error> {
        Ok(Self { instance, connection, slot, token: token()?, may_hold: Cell::new(false) })
    }

    /// Waits for the answer of a script that takes the lock or gives it back, and remembers what it says of the lock.
    pub async fn learn(
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
            crate::sdk::wasip3::spawn(give_back(Rc::clone(self.instance), Rc::clone(self.connection), script));
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

/// Has a page of a list discarded if it is too large for an entry: it has not come in time, and that may be why.
pub fn discard_later(instance: &Rc<Instance>, slot: &Slot<'_>) {
    let Some(turn) = Turn::take(instance) else {
        return;
    };
    let (instance, script) = (Rc::clone(instance), Script::discard(slot));
    crate::sdk::wasip3::spawn(async move {
        let _turn = turn;
        // By another connection than the one that the page is coming by.
        if let Ok(connection) = instance.redis.connection(&instance.config).await {
            // If it fails, the next read that is kept waiting tries again.
            let _ = connection.run_aside(instance.config.redis_timeout, script).await;
        }
    });
}

/// The turn of the one that is discarding, given back also when its request is dropped.
struct Turn(Rc<Instance>);

impl Turn {
    fn take(instance: &Rc<Instance>) -> Option<Self> {
        (!instance.is_discarding.replace(true)).then(|| Self(Rc::clone(instance)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.is_discarding.set(false);
    }
}
