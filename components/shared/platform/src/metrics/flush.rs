//! Passing on what an instance has counted, after the answers have gone out: to the component `aggregator`, or without service
//! chaining to the totals themselves.
//!
//! An instance that is killed takes at most [`FLUSH_AFTER`] of its counts with it; one that cannot pass them on keeps them for
//! the next time. Redis has no part in it, so counting goes on without Redis.

#[cfg(not(feature = "without-chaining"))]
use super::tell::tell;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::time::clock;
use rental::metrics::Totals;
use std::rc::Rc;
use std::time::Duration;

/// How long counts stay in an instance. Shorter than an instance lives when no request comes any more (1 s), long enough that
/// a busy one passes them on only a few times a second.
const FLUSH_AFTER: Duration = Duration::from_millis(250);

/// Has what is counted by then passed on after `FLUSH_AFTER`.
pub fn flush_later(instance: &Rc<Instance>) {
    if !instance.counts.begin_flush() {
        return;
    }
    let instance = Rc::clone(instance);
    crate::sdk::wasip3::spawn(async move {
        clock::sleep(FLUSH_AFTER).await;
        flush(&instance).await;
    });
}

async fn flush(instance: &Instance) {
    let delta = instance.counts.take();
    if delta.is_empty() {
        return;
    }
    let mut counted = Totals::default();
    counted.add(&delta, clock::unix_ms());
    if let Err(error) = tell(instance, &counted).await {
        log::write(Level::Warn, "metrics.kept", &[("error", &error)]);
        instance.counts.put_back(delta);
    }
}

/// Adds what was counted to the totals: no other component can be told.
#[cfg(feature = "without-chaining")]
async fn tell(instance: &Instance, counted: &Totals) -> Result<(), String> {
    super::shards::add_to_totals(&instance.key_value, &instance.config.namespace, counted).map_err(|error| error.0)
}
