//! Passes on what an instance has counted: to the component `aggregator`, or without service chaining to the totals. This is done
//! after an answer; on Spin 4.0 also before.
//!
//! An instance's first counts are passed on at once, by way of Redis: it may be the only time ([`super::in_redis`]). All others
//! stay for [`FLUSH_AFTER`], which is what an instance that is killed takes with it. One that cannot pass them on keeps them
//! for the next time. Without Redis counting goes on.
//!
//! Spin 4.0 (wasmtime 44) ends an instance with the body of its last answer and cancels background tasks. So its first answer, and
//! every [`ANSWERS_TOGETHER`]th after it, waits until the counts are in Redis. An instance that ends loses the counts of at most seven
//! answers.

use super::in_redis;
#[cfg(not(feature = "without-chaining"))]
use super::tell::tell;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::time::{alarm, clock};
use rental::metrics::{Delta, Totals};
use std::rc::Rc;
use std::time::Duration;

/// How long counts stay in an instance. Shorter than an instance lives when no request comes any more (1 s), long enough that
/// a busy one passes them on only a few times a second.
const FLUSH_AFTER: Duration = Duration::from_millis(250);

/// On Spin 4.0 one answer in so many passes counts on, by one command to Redis.
const ANSWERS_TOGETHER: u32 = 8;

/// Before an answer goes out: passes on what is counted, where it may be the last time. What Redis does not take stays for
/// [`flush_later`]: no answer waits for the totals.
pub async fn flush_before_answer(instance: &Instance) {
    if !cfg!(feature = "spin-4-0") || instance.counts.answered() % ANSWERS_TOGETHER != 1 {
        return;
    }
    let delta = instance.counts.take();
    match Box::pin(in_redis::leave(instance, &totals(&delta))).await {
        None => instance.counts.keep(delta),
        Some(all) => Box::pin(tell_all(instance, &all)).await,
    }
}

/// Has what is counted by then passed on: at once for the first time, later after `FLUSH_AFTER`.
pub fn flush_later(instance: &Rc<Instance>) {
    if !instance.counts.begin_flush() {
        return;
    }
    let instance = Rc::clone(instance);
    crate::sdk::wasip3::spawn(async move {
        if instance.counts.is_first_flush() {
            flush_by_redis(&instance).await;
            // Where it answers one request, it ends here.
            alarm::end_unused();
        } else {
            clock::sleep(FLUSH_AFTER).await;
            flush(&instance, instance.counts.take()).await;
        }
    });
}

/// Passes on what is counted by way of Redis.
async fn flush_by_redis(instance: &Instance) {
    let delta = instance.counts.take();
    if delta.is_empty() {
        return;
    }
    match in_redis::leave(instance, &totals(&delta)).await {
        None => flush(instance, delta).await,
        Some(all) => tell_all(instance, &all).await,
    }
}

/// Tells what has come together in Redis, if it is enough.
async fn tell_all(instance: &Instance, all: &Totals) {
    if all.is_empty() {
        return;
    }
    if let Err(error) = tell(instance, all).await {
        in_redis::leave_again(instance, all, &error).await;
    }
}

async fn flush(instance: &Instance, delta: Delta) {
    if delta.is_empty() {
        return;
    }
    if let Err(error) = tell(instance, &totals(&delta)).await {
        log::write(Level::Warn, "metrics.kept", &[("error", &error)]);
        instance.counts.put_back(delta);
    }
}

fn totals(delta: &Delta) -> Totals {
    let mut totals = Totals::default();
    totals.add(delta, clock::unix_ms());
    totals
}

/// Adds what was counted to the totals: no other component can be told.
#[cfg(feature = "without-chaining")]
async fn tell(instance: &Instance, counted: &Totals) -> Result<(), String> {
    super::shards::add_to_totals(&instance.key_value, &instance.config.namespace, counted).map_err(|error| error.0)
}
