//! Telling an operator's webhook of the breaker's changes and of orders to it, in the background.

use crate::http::client::send;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::time::clock::unix_ms;
use crate::time::within;
use bytes::Bytes;
use cache::breaker::{Mode, Record};
use http::{Method, Request, header};
use http_body_util::Full;
use rental::domain::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// How long the webhook may take. Nobody waits for it, but it keeps the instance alive.
const DEADLINE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Told<'a> {
    event: &'static str,
    state: &'static str,
    mode: Mode,
    reason: &'a str,
    epoch: u64,
    /// When that was.
    at: Option<Timestamp>,
}

/// POSTs what has become of the breaker by `event`, if there is a webhook. What fails is logged, without the address: it may hold a
/// secret.
pub fn notify(instance: &Instance, event: &'static str, record: &Record) {
    let Some(url) = instance.config.alert_webhook_url.clone() else {
        return;
    };
    let told = Told {
        event,
        state: record.state_name(),
        mode: record.mode,
        reason: &record.reason,
        epoch: record.epoch,
        at: i64::try_from(unix_ms().saturating_mul(1_000)).ok().and_then(Timestamp::from_unix_micros),
    };
    // Numbers and texts always serialize.
    let body = Full::new(Bytes::from(serde_json::to_vec(&told).unwrap_or_default()));
    crate::sdk::wasip3::spawn(async move {
        let request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        let outcome = match request {
            Ok(request) => within(DEADLINE, send(request)).await,
            Err(_) => return log::write(Level::Warn, "webhook.failed", &[("error", "alert_webhook_url is no URL")]),
        };
        let error = match outcome {
            Some(Ok(response)) if response.status().is_success() => return,
            Some(Ok(response)) => format!("it answered {}", response.status().as_u16()),
            Some(Err(_)) => "it cannot be reached, or alert_webhook_address does not name its host and port".into(),
            None => "no answer within the deadline".into(),
        };
        log::write(Level::Warn, "webhook.failed", &[("error", &error)]);
    });
}
