//! Passing on what an instance has counted, after the answers have gone out: to the component `aggregator`, or without service
//! chaining to the totals themselves.
//!
//! An instance's first counts are passed on at once, by way of Redis: it may be the only time ([`super::in_redis`]). All others
//! stay for [`FLUSH_AFTER`], which is what an instance that is killed takes with it. One that cannot pass them on keeps them
//! for the next time. Without Redis counting goes on.
//!
//! On Spin 4.0 an instance ends with the body of its last answer, whatever it is still at (the handler of wasmtime 44; that of 47
//! waits). So its first answer waits there until its counts are passed on, and then one of [`ANSWERS_TOGETHER`]: of an instance that
//! ends within [`FLUSH_AFTER`], the counts of so many answers less one are lost at most.

use super::in_redis;
#[cfg(not(feature = "without-chaining"))]
use super::tell::tell;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::time::clock;
use rental::metrics::{Delta, Totals};
use std::rc::Rc;
use std::time::Duration;

/// How long counts stay in an instance. Shorter than an instance lives when no request comes any more (1 s), long enough that
/// a busy one passes them on only a few times a second.
const FLUSH_AFTER: Duration = Duration::from_millis(250);

/// How many answers are told together on Spin 4.0: one command of Redis for so many.
const ANSWERS_TOGETHER: u32 = 8;

/// Before an answer goes out: passes on what is counted, where it may be the last time.
pub async fn flush_before_answer(instance: &Instance) {
    if cfg!(feature = "spin-4-0") && instance.counts.answered() % ANSWERS_TOGETHER == 1 {
        Box::pin(flush_by_redis(instance)).await;
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
        Some(all) if all.is_empty() => {}
        Some(all) => {
            if let Err(error) = tell(instance, &all).await {
                in_redis::leave_again(instance, &all, &error).await;
            }
        }
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
