//! A command of Redis, whose result counts for the breaker.

use super::vote::{answered, failed};
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::redis::Connection;
use crate::time::clock;
use cache::RedisFailure;
use std::rc::Rc;

/// The kept connection, or a new one, whose opening is counted like a command.
pub async fn connect(instance: &Instance) -> Option<Rc<Connection>> {
    match instance.redis.current() {
        Some(connection) => Some(connection),
        None => attempt(instance, instance.redis.connection(&instance.config)).await,
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
