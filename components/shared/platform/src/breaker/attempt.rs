//! A command of Redis, whose result counts for the breaker.

use super::vote::{answered, failed};
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::redis::{Connection, Sent};
use crate::time::clock;
use cache::{RedisFailure, Slot};
use std::rc::Rc;

/// The kept connection, or a new one, whose opening is counted like a command.
pub async fn connect(instance: &Instance) -> Option<Rc<Connection>> {
    Some(connect_for(instance, None).await?.0)
}

/// [`connect`]; a new connection is asked for what is `wanted` at once ([`crate::redis::Redis::connect`]).
pub async fn connect_for(instance: &Instance, wanted: Option<&Slot<'_>>) -> Option<(Rc<Connection>, Option<Sent>)> {
    match instance.redis.current() {
        Some(connection) => Some((connection, None)),
        None => attempt(instance, instance.redis.connect(&instance.config, wanted)).await,
    }
}

/// Runs a command and counts its result. Only a Redis that does not answer is a failure; one that answers with an error
/// is well.
pub async fn attempt<T>(instance: &Instance, command: impl Future<Output = Result<T, RedisFailure>>) -> Option<T> {
    let sent_at = clock::elapsed();
    match command.await {
        Ok(value) => {
            answered(instance, sent_at).await;
            Some(value)
        }
        Err(failure) => {
            instance.breaker.borrow_mut().noted(&failure);
            if let RedisFailure::Refused(error) = &failure {
                log::write(Level::Warn, "redis.refused", &[("error", error)]);
            } else {
                log::write(Level::Warn, "redis.unavailable", &[("error", &failure.to_string())]);
                Box::pin(failed(instance, sent_at)).await;
            }
            None
        }
    }
}
