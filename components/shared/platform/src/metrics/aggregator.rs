//! What the component `aggregator` does: it takes in what instances have counted, and adds it to the totals.
//!
//! Writing blocks an instance and every request in it (`shards.rs`). So it is the business of instances that no client
//! waits for.

use super::shards::{add_to_totals, parse};
use crate::http::wire::{Outcome, Request, hand_over};
use crate::key_value::KeyValue;
use crate::log::{self, Level};
use crate::time::clock;
use cache::Namespace;
use http::StatusCode;
use http_body_util::{BodyExt, Limited};
use rental::http::Answer;
use rental::metrics::{Count, Delta, Totals};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the totals wait for more before they are written. A busy host so writes a few times a second in all.
const WRITE_AFTER: Duration = Duration::from_millis(250);
/// How long they wait when they could not be written, and how often they are tried again: for longer than a store that was
/// slow is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const RETRIES: u32 = 20;
/// Every series that there is, three times over: what is longer comes from nobody we know.
const MAX_BYTES: usize = 256 * 1024;

/// What an instance of the aggregator keeps.
#[derive(Default)]
struct Aggregator {
    /// What is not written yet, by namespace. While an entry is there, a task is going to write it.
    unwritten: RefCell<BTreeMap<String, Totals>>,
    key_value: KeyValue,
}

thread_local! {
    /// It has no configuration, and so is no [`crate::instance::Instance`].
    static AGGREGATOR: Aggregator = Aggregator::default();
}

/// Takes in what an instance has counted. The request's path is the namespace.
///
/// # Errors
/// Only the platform's.
pub async fn add_up(request: Request) -> Outcome {
    let namespace = Namespace::parse(request.parts.uri.path().trim_start_matches('/'));
    let body = match request.body.open() {
        Ok(body) => Limited::new(body, MAX_BYTES).collect().await.ok().map(|body| body.to_bytes()),
        Err(_) => None,
    };
    let (Some(namespace), Some(counted)) = (namespace, body.and_then(|body| parse(&body))) else {
        log::write(Level::Error, "metrics.refused", &[]);
        return hand_over(Answer::empty(StatusCode::BAD_REQUEST));
    };
    keep(namespace, &counted);
    hand_over(Answer::empty(StatusCode::NO_CONTENT))
}

/// Keeps what was counted until it is written, after [`WRITE_AFTER`].
fn keep(namespace: Namespace, counted: &Totals) {
    let is_first = AGGREGATOR.with(|aggregator| {
        let mut unwritten = aggregator.unwritten.borrow_mut();
        let is_first = !unwritten.contains_key(namespace.name());
        unwritten.entry(namespace.name().to_owned()).or_default().merge(counted);
        is_first
    });
    if is_first {
        crate::sdk::wasip3::spawn(async move {
            clock::sleep(WRITE_AFTER).await;
            for _ in 0..RETRIES {
                if write(&namespace) {
                    return;
                }
                clock::sleep(RETRY_AFTER).await;
            }
            log::write(Level::Error, "metrics.lost", &[]);
            AGGREGATOR.with(|aggregator| aggregator.unwritten.borrow_mut().remove(namespace.name()));
        });
    }
}

/// Adds to the totals what is not written yet; whether that could be done.
fn write(namespace: &Namespace) -> bool {
    AGGREGATOR.with(|aggregator| {
        let mut all = aggregator.unwritten.borrow_mut();
        let Some(unwritten) = all.get_mut(namespace.name()) else {
            return true;
        };
        let written = add_to_totals(&aggregator.key_value, namespace, unwritten);
        match &written {
            Ok(()) => drop(all.remove(namespace.name())),
            Err(error) => {
                log::write(Level::Warn, "metrics.kept", &[("error", &error.0)]);
                let mut failed = Delta::default();
                failed.count(Count::FailedFlush, 1);
                unwritten.add(&failed, clock::unix_ms());
            }
        }
        written.is_ok()
    })
}
