//! What a read leaves to the background when it does not learn in time what Redis has done for it.

use super::clock;
use super::redis::{Connection, connection, forget};
use rental::config::Config;
use rental::error::Error;
use cache::{CacheKey, LOCK_MS, RedisFailure, Script, grants_lock};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

thread_local! {
    /// Whether this instance is discarding a page: one at a time, so that a dead Redis is not asked by every read.
    static IS_DISCARDING: Cell<bool> = const { Cell::new(false) };
}

/// A read's claim to the lock on a value. Dropped while the lock may be held, it has the lock given back in the background:
/// when the script that takes it, or gives it back, was not answered in time, and when the request itself is dropped. Other
/// readers of the value would else wait for this one until the lock runs out.
pub struct Claim<'a> {
    config: &'a Rc<Config>,
    kept: &'a Rc<Connection>,
    key: &'a CacheKey,
    field: &'a str,
    /// By which the scripts know this reader.
    pub token: String,
    may_hold: Cell<bool>,
}

impl<'a> Claim<'a> {
    /// A claim that nothing has been sent for yet.
    ///
    /// # Errors
    /// As [`clock::random`].
    pub fn new(
        config: &'a Rc<Config>,
        kept: &'a Rc<Connection>,
        key: &'a CacheKey,
        field: &'a str,
    ) -> Result<Self, Error> {
        Ok(Self { config, kept, key, field, token: clock::token()?, may_hold: Cell::new(false) })
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
            let script = Script::release(self.key, self.field, &self.token);
            spin_sdk::wasip3::spawn(give_back(Rc::clone(self.config), Rc::clone(self.kept), script));
        }
    }
}

/// Gives a lock back. By the same connection, since Redis runs what comes by it in order: however long it stands still,
/// this cannot overtake the script that takes the lock. By a new one if that has broken off. A lock that was taken before
/// this is given up has run out by then.
async fn give_back(config: Rc<Config>, kept: Rc<Connection>, script: Script) {
    let deadline = Duration::from_millis(LOCK_MS);
    if let Err(RedisFailure::Unavailable(_)) = kept.run_aside(deadline, script.clone()).await {
        forget(&kept);
        if let Ok(kept) = connection(&config).await {
            // If it is not given back now, it runs out by itself.
            let _ = kept.run_aside(deadline, script).await;
        }
    }
}

/// Has a page of a list discarded if it is too large for an entry: it has not come in time, and that may be why.
pub fn discard_later(config: &Rc<Config>, key: &CacheKey, field: &str) {
    let Some(turn) = Turn::take() else {
        return;
    };
    let (config, script) = (Rc::clone(config), Script::discard(key, field));
    spin_sdk::wasip3::spawn(async move {
        let _turn = turn;
        // By another connection than the one that the page is coming by.
        if let Ok(kept) = connection(&config).await {
            // If it fails, the next read that is kept waiting tries again.
            let _ = kept.run_aside(config.redis_timeout, script).await;
        }
    });
}

/// The turn of the one that is discarding, given back also when its request is dropped.
struct Turn;

impl Turn {
    fn take() -> Option<Self> {
        (!IS_DISCARDING.replace(true)).then_some(Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        IS_DISCARDING.set(false);
    }
}
