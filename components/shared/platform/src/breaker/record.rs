//! The breaker's record, wherever it is (`breaker_store`), and the clock that its times are told by.
//!
//! What asks PostgreSQL is boxed: its futures are large, and each command of Redis, which may open the breaker, would contain them.

use super::{compare_and_swap, in_database, in_key_value};
use crate::instance::Instance;
use crate::key_value::Unreadable;
use crate::time::clock::{elapsed, unix_ms};
use cache::breaker::{Event, Lease, Record};
use rental::config::BreakerStore;

/// Reads the record; `None` when there is none yet, or none that can be understood.
///
/// # Errors
/// When the store does not answer.
pub async fn read(instance: &Instance) -> Result<Option<Lease>, Unreadable> {
    match instance.config.breaker_store {
        BreakerStore::KeyValue => in_key_value::read(instance).await,
        BreakerStore::Database => Box::pin(in_database::read(instance)).await,
    }
}

/// Applies an event to the record by compare-and-swap. Answers the record as it is afterwards, and as it was before if it
/// was this call that changed it. `event` makes the event of a moment, as [`now_ms`] tells it.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn swap<'a>(
    instance: &Instance,
    event: impl Fn(u64) -> Event<'a>,
) -> Result<(Lease, Option<Record>), Unreadable> {
    match instance.config.breaker_store {
        BreakerStore::KeyValue => compare_and_swap::swap(instance, event),
        BreakerStore::Database => Box::pin(in_database::swap(instance, event)).await,
    }
}

/// Unix time in milliseconds by the clock that the record's times are told by: the host's, or PostgreSQL's.
pub fn now_ms(instance: &Instance) -> u64 {
    match instance.config.breaker_store {
        BreakerStore::KeyValue => unix_ms(),
        // Before the first statement there is no record to compare it with.
        BreakerStore::Database => instance.record_clock.get().now_ms(elapsed()).unwrap_or_else(unix_ms),
    }
}
