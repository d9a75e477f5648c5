//! The probe: finds out which Redis is there, makes up for every missed invalidation, and lets the cache back in.

use super::events::report;
use super::{drain, record};
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::metrics;
use crate::postgres::writes_in_progress;
use crate::time::{clock, token, within};
use cache::breaker::Event;
use cache::protocol::until_another_redis_is_not_used;
use cache::{RedisFailure, Unfit};
use futures::channel::oneshot;
use std::rc::Rc;
use std::time::Duration;

/// Starts a probe. What is answered resolves when it is over.
pub fn probe_in_background(instance: &Rc<Instance>) -> oneshot::Receiver<()> {
    let (done, over) = oneshot::channel();
    let instance = Rc::clone(instance);
    crate::sdk::wasip3::spawn(async move {
        probe(&instance).await;
        // Mostly nobody waits for it.
        let _ = done.send(());
    });
    over
}

/// Probes, and waits for it as long as a request may wait for a connection. The probe goes on behind it.
pub async fn probe_and_wait(instance: &Rc<Instance>) {
    let _ = within(instance.config.redis_connect_timeout, probe_in_background(instance)).await;
}

/// Offers to probe, and if nobody else does: finds out which Redis is there, makes up for every missed invalidation, and
/// lets the cache back in.
async fn probe(instance: &Rc<Instance>) {
    let Ok(token) = token() else {
        return;
    };
    if !report(instance, Event::ProbeOffered { token: &token }).await {
        return;
    }
    let outcome = async {
        // A connection from before says nothing of Redis as it is now.
        if let Some(connection) = instance.redis.current() {
            connection.give_up();
        }
        let failed = |error: &dyn std::fmt::Display| (error.to_string(), instance.config.breaker_max_reset, None);
        let unusable =
            |failure: RedisFailure| (failure.to_string(), instance.config.breaker_max_reset, failure.unfit());
        let connection = instance.redis.connection(&instance.config).await.map_err(unusable)?;
        report(instance, Event::AnotherRedis { run_id: &connection.run_id }).await;
        clock::sleep(leases_left(instance, &connection.run_id)).await;
        // A write that had no fence, or not in this Redis, may be in progress for longer than any limit: its row is not in the
        // outbox before it ends. That is no failure of Redis's, and does not make the next probe come later.
        writes_in_progress::await_them(instance)
            .await
            .map_err(|error| (error.to_string(), instance.config.breaker_reset, None))?;
        drain::drain(instance, &connection).await.map_err(|error| failed(&error))?;
        Ok::<_, (String, Duration, Option<Unfit>)>(connection)
    };
    match outcome.await {
        Ok(connection) => {
            report(instance, Event::ProbeSucceeded { token: &token, run_id: &connection.run_id }).await;
        }
        Err((error, longest, unfit)) => {
            log::write(Level::Warn, "breaker.probe_failed", &[("error", &error)]);
            report(instance, Event::ProbeFailed { token: &token, longest, unfit }).await;
        }
    }
    metrics::flush_later(instance);
}

/// How long another Redis than `run_id` may still be used, as far as this instance knows the record.
fn leases_left(instance: &Instance, run_id: &str) -> Duration {
    let lease = instance.config.breaker_lease;
    let known = instance.breaker.borrow().record();
    known.map_or(lease, |record| until_another_redis_is_not_used(&record, run_id, record::now_ms(instance), lease))
}
