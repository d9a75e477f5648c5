//! Telling the component `aggregator` what an instance has counted, after the answers have gone out.
//!
//! An instance that is killed takes at most [`FLUSH_AFTER`] of its counts with it; one that cannot tell keeps them for the
//! next time. Redis has no part in it, so counting goes on without Redis.

use crate::http::client::send;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::time::{clock, within};
use bytes::Bytes;
use cache::Namespace;
use http_body_util::Full;
use rental::metrics::Totals;
use std::rc::Rc;
use std::time::Duration;

/// How long counts stay in an instance. Shorter than an instance lives when no request comes any more (1 s), long enough that
/// a busy one tells only a few times a second.
const FLUSH_AFTER: Duration = Duration::from_millis(250);
/// Where the private component is reached, inside the host.
const AGGREGATOR: &str = "http://aggregator.spin.internal";
/// How long telling may take. No request waits for it, but it keeps the instance alive.
const DEADLINE: Duration = Duration::from_secs(2);

/// Has what is counted by then told after `FLUSH_AFTER`.
pub fn flush_later(instance: &Rc<Instance>) {
    if !instance.counts.begin_flush() {
        return;
    }
    let instance = Rc::clone(instance);
    spin_sdk::wasip3::spawn(async move {
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
    if let Err(error) = send_counts(&instance.config.namespace, &counted).await {
        log::write(Level::Warn, "metrics.kept", &[("error", &error)]);
        instance.counts.put_back(delta);
    }
}

/// Tells `aggregator` what was counted.
///
/// # Errors
/// For the log.
async fn send_counts(namespace: &Namespace, counted: &Totals) -> Result<(), String> {
    let body = serde_json::to_vec(counted).map_err(|error| error.to_string())?;
    let request = http::Request::post(format!("{AGGREGATOR}/{}", namespace.as_str()))
        .header(http::header::CONTENT_LENGTH, body.len())
        .body(Full::new(Bytes::from(body)));
    let sending = send(request.map_err(|error| error.to_string())?);
    match within(DEADLINE, sending).await {
        Some(Ok(response)) if response.status().is_success() => Ok(()),
        Some(Ok(response)) => Err(format!("aggregator answered {}", response.status().as_u16())),
        Some(Err(error)) => Err(format!("aggregator cannot be reached: {error:?}")),
        None => Err("aggregator did not answer within the deadline".into()),
    }
}
