//! Counts that wait in Redis until there are enough of them to be worth a write of the totals.
//!
//! Where an instance answers one request, telling `aggregator` would cost each request another request and a write. One command
//! by the connection that the request has used is all it costs here.

use super::shards::parse;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::time::clock::elapsed;
use crate::time::token;
use cache::Script;
use cache::breaker::Admission;
use rental::metrics::Totals;

/// How many instances' counts are told together. They are what is lost when Redis loses its data; a scrape leaves none.
const ENOUGH: u32 = 64;

/// Leaves what was counted in Redis. Answers what is to be told now: nothing, or all that has come together there; `None` when
/// Redis did not take it, or is left alone.
pub async fn leave(instance: &Instance, counted: &Totals) -> Option<Totals> {
    let (admission, _) = instance.breaker.borrow().admission(elapsed(), instance.config.breaker_lease);
    if admission == Admission::Barred {
        return None;
    }
    let (name, bytes) = (token().ok()?, serde_json::to_vec(counted).ok()?);
    run(instance, Script::count(&instance.config.namespace, &name, bytes, ENOUGH)).await
}

/// Leaves in Redis what was taken from there and could not be told, because of `error`.
pub async fn leave_again(instance: &Instance, taken: &Totals, error: &str) {
    let is_left = leave(instance, taken).await.is_some_and(|more| more.is_empty());
    let (level, event) = if is_left { (Level::Warn, "metrics.kept") } else { (Level::Error, "metrics.lost") };
    log::write(level, event, &[("error", error)]);
}

/// Takes all that waits in Redis; nothing where there is no connection.
pub async fn take(instance: &Instance) -> Totals {
    run(instance, Script::take_counts(&instance.config.namespace)).await.unwrap_or_default()
}

async fn run(instance: &Instance, script: Script) -> Option<Totals> {
    let connection = instance.redis.current()?;
    let answer = connection.run_aside(instance.config.redis_timeout, script).await.ok()?;
    let mut all = Totals::default();
    for totals in answer.iter().filter_map(|bytes| parse(bytes)) {
        all.merge(&totals);
    }
    Some(all)
}
