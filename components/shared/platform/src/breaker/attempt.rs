//! A command of Redis, and what its result means for the breaker: this is where an instance votes.

use super::events::report;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::redis::Connection;
use crate::time::{clock, token};
use cache::RedisFailure;
use cache::breaker::{Event, Reaction};
use std::rc::Rc;
use std::time::Duration;

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
            answered(instance, sent_at);
            Some(value)
        }
        Err(failure) => {
            instance.breaker.borrow_mut().noted(&failure);
            if let RedisFailure::Refused(error) = &failure {
                log::write(Level::Warn, "redis.refused", &[("error", error)]);
            } else {
                log::write(Level::Warn, "redis.unavailable", &[("error", &failure.to_string())]);
                failed(instance, sent_at);
            }
            None
        }
    }
}

/// Redis has answered a command that was sent at `sent_at`: what this instance held against it is over, and what others
/// hold against it is their own trouble.
fn answered(instance: &Instance, sent_at: Duration) {
    let objects = instance.breaker.borrow_mut().answered(sent_at);
    if objects {
        report(instance, Event::Answering);
    }
}

/// Counts a failure of a command that was sent at `sent_at`. When there are enough of them this instance votes, and leaves
/// Redis alone for one reset even if nobody else confirms it.
fn failed(instance: &Instance, sent_at: Duration) {
    let (reset, threshold) = (instance.config.breaker_reset, instance.config.breaker_threshold);
    let sent_and_known = (sent_at, clock::elapsed());
    let reaction =
        instance.breaker.borrow_mut().failed(sent_and_known, clock::unix_ms(), threshold, reset, || token().ok());
    match reaction {
        Reaction::Wait => {}
        Reaction::Observe { failures } => {
            log::write(Level::Warn, "breaker.would_open", &[("failures", &failures.to_string())]);
        }
        Reaction::Vote { voter } => {
            report(instance, Event::Failing { voter: &voter, lease: instance.config.breaker_lease });
            instance.breaker.borrow_mut().cool_down(clock::elapsed(), reset);
        }
    }
}
