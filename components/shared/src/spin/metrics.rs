//! Counting in the instance's memory, and adding it to the totals in the key-value store after the answers have gone out.
//!
//! An instance that is killed takes at most [`FLUSH_AFTER`] of its counts with it; one that cannot write keeps them for the
//! next time. Redis has no part in it, so they go on without it.

use super::clock;
use super::key_value::{self, Unreadable};
use crate::config::Config;
use crate::log::{self, Level};
use crate::metrics::{Count, Delta, Timing, Totals};
use spin_sdk::key_value::Store;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// How long counts stay in an instance. Shorter than an instance lives when nothing comes any more (1 s), long enough that
/// a busy one writes only a few times a second.
const FLUSH_AFTER: Duration = Duration::from_millis(250);
/// Over how many keys the totals are spread, so that instances seldom write the same one at the same time.
const SHARDS: u8 = 8;

thread_local! {
    static PENDING: RefCell<Delta> = RefCell::default();
    static IS_FLUSHING: Cell<bool> = const { Cell::new(false) };
}

/// Counts one.
pub fn count(what: Count) {
    count_many(what, 1);
}

/// Counts some.
pub fn count_many(what: Count, by: u64) {
    PENDING.with_borrow_mut(|pending| pending.count(what, by));
}

/// Measures.
pub fn time(what: Timing, took: Duration) {
    PENDING.with_borrow_mut(|pending| pending.time(what, took));
}

/// Has what is counted by then added to the totals after [`FLUSH_AFTER`].
pub fn flush_later(config: &Rc<Config>) {
    if IS_FLUSHING.replace(true) {
        return;
    }
    let config = Rc::clone(config);
    spin_sdk::wasip3::spawn(async move {
        clock::sleep(FLUSH_AFTER).await;
        IS_FLUSHING.set(false);
        flush(&config);
    });
}

fn flush(config: &Config) {
    let delta = PENDING.take();
    if delta.is_empty() {
        return;
    }
    let shard = clock::random::<1>().map_or(0, |[byte]| byte % SHARDS);
    let added = key_value::update(&key(config, shard), |stored| {
        let mut totals = parse(stored).unwrap_or_default();
        totals.add(&delta, clock::unix_ms());
        serde_json::to_vec(&totals).unwrap_or_default()
    });
    if let Err(error) = added {
        log::write(Level::Warn, "metrics.kept", &[("error", &error.0)]);
        PENDING.with_borrow_mut(|pending| pending.add(delta));
        count(Count::FailedFlush);
    }
}

/// What all instances that share the key-value store have counted.
///
/// # Errors
/// When the store cannot be read.
pub async fn totals(config: &Config) -> Result<Totals, Unreadable> {
    let reading = async {
        let store = Store::open(key_value::STORE).await?;
        let mut shards = Vec::new();
        // The store has one at a time anyway, and one that fails is enough to wait for.
        for shard in 0..SHARDS {
            shards.push(store.get(key(config, shard)).await?);
        }
        Ok(shards)
    };
    let shards = key_value::ask(config.key_value_timeout * u32::from(SHARDS), reading).await?;
    let mut all = Totals::default();
    for totals in shards.iter().flatten().filter_map(|bytes| parse(bytes)) {
        all.merge(&totals);
    }
    Ok(all)
}

fn key(config: &Config, shard: u8) -> String {
    format!("metrics:{}:{shard}", config.namespace.as_str())
}

/// `None` for what another version has written otherwise: counting begins anew, as after any restart of a counter.
fn parse(bytes: &[u8]) -> Option<Totals> {
    serde_json::from_slice(bytes).ok()
}
