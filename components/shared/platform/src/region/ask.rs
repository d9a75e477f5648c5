//! Asks Redis how far the region has worked off the log, and reads the log if it is this instance's turn.

use super::log::{Reading, read};
use crate::breaker::attempt::attempt;
use crate::instance::Instance;
use crate::redis::Connection;
use crate::time::clock::elapsed;
use crate::time::token;
use cache::Script;
use cache::region::{LogLease, LogState};
use rental::config::Region;
use std::rc::Rc;
use std::time::Duration;

/// Asks, and keeps the lease that this gives. `None` when it gives none.
pub async fn ask(
    instance: &Rc<Instance>,
    region: &Region,
    connection: &Rc<Connection>,
    epoch: u64,
) -> Option<Rc<LogLease>> {
    let (asked_at, token) = (elapsed(), token().ok()?);
    let state = state(instance, region, connection, epoch, &token).await?;
    if state.is_reader {
        let reading = Reading::new(epoch, token, &state);
        let (instance, connection) = (Rc::clone(instance), Rc::clone(connection));
        crate::sdk::wasip3::spawn(async move { read(&instance, &connection, reading).await });
    }
    let lease = LogLease::new(state, epoch, asked_at).map(Rc::new)?;
    instance.region.lease.replace(Some(Rc::clone(&lease)));
    Some(lease)
}

/// What Redis says of the log, to a caller that would read it.
pub async fn state(
    instance: &Instance,
    region: &Region,
    connection: &Rc<Connection>,
    epoch: u64,
    token: &str,
) -> Option<LogState> {
    let script = Script::log_state(&instance.config.namespace, epoch, token, milliseconds(region.staleness));
    let answer = attempt(instance, connection.run(instance.config.redis_timeout, script)).await?;
    LogState::parse(answer).ok()
}

/// A duration as Redis is told it.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
