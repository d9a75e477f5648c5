//! Counting in the instance's memory, and telling the component `tally` of it after the answers have gone out.
//!
//! An instance that is killed takes at most [`FLUSH_AFTER`] of its counts with it; one that cannot tell keeps them for the
//! next time. Redis has no part in it, so they go on without it.

use super::clock;
use super::http::send;
use super::key_value::{self, Unreadable};
use super::tally::{self, parse};
use rental::config::Config;
use crate::log::{self, Level};
use rental::metrics::{Count, Delta, Timing, Totals};
use bytes::Bytes;
use cache::Namespace;
use http_body_util::Full;
use spin_sdk::key_value::Store;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// How long counts stay in an instance. Shorter than an instance lives when nothing comes any more (1 s), long enough that
/// a busy one tells only a few times a second.
const FLUSH_AFTER: Duration = Duration::from_millis(250);

/// Where the private component is reached, inside the host.
const TALLY: &str = "http://tally.spin.internal";
/// How long telling may take. Nobody waits for it, but it keeps the instance alive.
const DEADLINE: Duration = Duration::from_secs(2);
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

/// Has what is counted by then told after [`FLUSH_AFTER`].
pub fn flush_later(config: &Rc<Config>) {
    if IS_FLUSHING.replace(true) {
        return;
    }
    let config = Rc::clone(config);
    spin_sdk::wasip3::spawn(async move {
        clock::sleep(FLUSH_AFTER).await;
        IS_FLUSHING.set(false);
        flush(&config).await;
    });
}

async fn flush(config: &Config) {
    let delta = PENDING.take();
    if delta.is_empty() {
        return;
    }
    let mut counted = Totals::default();
    counted.add(&delta, clock::unix_ms());
    if let Err(error) = tell(&config.namespace, &counted).await {
        log::write(Level::Warn, "metrics.kept", &[("error", &error)]);
        PENDING.with_borrow_mut(|pending| pending.add(delta));
        count(Count::FailedFlush);
    }
}

/// Tells `tally` what was counted.
///
/// # Errors
/// For the log.
async fn tell(namespace: &Namespace, counted: &Totals) -> Result<(), String> {
    let body = serde_json::to_vec(counted).map_err(|error| error.to_string())?;
    let request = http::Request::post(format!("{TALLY}/{}", namespace.as_str()))
        .header(http::header::CONTENT_LENGTH, body.len())
        .body(Full::new(Bytes::from(body)));
    let sending = send(request.map_err(|error| error.to_string())?);
    match clock::within(DEADLINE, sending).await {
        Some(Ok(response)) if response.status().is_success() => Ok(()),
        Some(Ok(response)) => Err(format!("tally answered {}", response.status().as_u16())),
        Some(Err(error)) => Err(format!("tally cannot be reached: {error:?}")),
        None => Err("tally did not answer within the deadline".into()),
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
        for key in tally::keys(&config.namespace) {
            shards.push(store.get(key).await?);
        }
        Ok(shards)
    };
    let shards = key_value::ask(config.key_value_timeout * u32::from(tally::SHARDS), reading).await?;
    let mut all = Totals::default();
    for totals in shards.iter().flatten().filter_map(|bytes| parse(bytes)) {
        all.merge(&totals);
    }
    Ok(all)
}
