//! The vote of this instance: enough failures of Redis open the breaker, an answer takes them back.

use super::events::report;
use super::record;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::time::{clock, token};
use cache::breaker::{Event, Reaction};
use std::time::Duration;

/// Redis has answered a command that was sent at `sent_at`: what this instance held against it is over, and what others
/// hold against it is their own trouble.
pub async fn answered(instance: &Instance, sent_at: Duration) {
    let objects = instance.breaker.borrow_mut().answered(sent_at);
    if objects {
        // Rare, and so no part of each command's future.
        Box::pin(report(instance, Event::Answering)).await;
    }
}

/// Counts a failure of a command that was sent at `sent_at`. When there are enough of them this instance votes, and leaves
/// Redis alone for one reset even if nobody else confirms it.
pub async fn failed(instance: &Instance, sent_at: Duration) {
    let (reset, threshold) = (instance.config.breaker_reset, instance.config.breaker_threshold);
    let (sent_and_known, now_ms) = ((sent_at, clock::elapsed()), record::now_ms(instance));
    let reaction = instance.breaker.borrow_mut().failed(sent_and_known, now_ms, threshold, reset, || token().ok());
    match reaction {
        Reaction::Wait => {}
        Reaction::Observe { failures } => {
            log::write(Level::Warn, "breaker.would_open", &[("failures", &failures.to_string())]);
        }
        Reaction::Vote { voter } => {
            // First, for other requests go on while the vote is on its way.
            instance.breaker.borrow_mut().cool_down(clock::elapsed(), reset);
            report(instance, Event::Failing { voter: &voter, lease: instance.config.breaker_lease }).await;
        }
    }
}
