//! Before the statement: the fence, or the breaker held open for a write that has none.

use crate::breaker::admission::{admission, renew, trusted};
use crate::breaker::attempt::{attempt, connect};
use crate::breaker::events::{hold_for_write, report};
use crate::breaker::record;
use crate::instance::Instance;
use crate::postgres::outbox::KEYS_PER_SCRIPT;
use crate::redis::Connection;
use crate::time::clock;
use cache::breaker::{Admission, Event};
use cache::database::START_WITHIN;
use cache::protocol::{BeforeStatement, FENCE_MS, STATEMENT_TIMEOUT_MS, before_statement};
use cache::read_lease::wait_after_fence;
use cache::{CacheKey, Script};
use rental::error::Error;
use rental::metrics::{Count, FenceResult};
use std::rc::Rc;
use std::time::Duration;

/// A report that took so long came to a key-value store that was blocked (SQLite waits 5 s), and began to count before: it is
/// made anew. Less is in the time that a statement has to end, which counts no more once it has started.
const SLOW_REPORT: Duration = Duration::from_millis(STATEMENT_TIMEOUT_MS / 2);

/// How a write is kept from being missed.
pub struct Fenced {
    /// Where its fence is. `None` when the write goes on without: then the breaker stays open until its statement has started,
    /// and the probe that closes it waits for its end.
    pub by: Option<Rc<Connection>>,
    /// Until when its statement may start, on the instance's monotonic clock.
    pub statement_starts_by: Duration,
}

/// Puts up the fence.
///
/// # Errors
/// As [`hold_for_write`].
pub async fn fence(instance: &Rc<Instance>, keys: &[CacheKey], write_id: &str) -> Result<Fenced, Error> {
    let record = match admission(instance) {
        Admission::Admitted(record) => Some(record),
        Admission::Lapsed(_) | Admission::Unknown | Admission::Barred => renew(instance).await,
    };
    let (longest, decided_at) = (instance.config.longest_statement(), clock::elapsed());
    let connection = match (
        before_statement(record.as_deref(), record::now_ms(instance), instance.config.breaker_lease, longest),
        record,
    ) {
        (BeforeStatement::GoOn(pause), _) => {
            instance.counts.count(Count::Fence(FenceResult::Skipped));
            wait(pause).await;
            let statement_starts_by = decided_at + pause + instance.config.database_timeout;
            return Ok(Fenced { by: None, statement_starts_by });
        }
        (BeforeStatement::Fence, Some(record)) => trusted(instance, record).await.map(|usable| usable.connection),
        (BeforeStatement::FenceAnyway(pause), record) => {
            wait(pause).await;
            let connection = connect(instance).await;
            if let (Some(connection), Some(_)) = (&connection, record) {
                report(instance, Event::AnotherRedis { run_id: &connection.run_id }).await;
            }
            connection
        }
        (BeforeStatement::Fence, None) => None,
    };
    let fenced_at = clock::elapsed();
    let by = match connection {
        Some(connection) => put_up(instance, connection, keys, write_id).await,
        None => None,
    };
    instance.counts.count(Count::Fence(if by.is_some() { FenceResult::Raised } else { FenceResult::Failed }));
    let statement_starts_by = match by {
        // Not after its writer has stopped waiting for it; and the fence counts from when it was sent, also where the instance
        // stood still before it learnt of it (a key-value store that blocks it).
        Some(_) => (clock::elapsed_after_blocking() + instance.config.database_timeout).min(fenced_at + START_WITHIN),
        None => hold_open(instance).await?,
    };
    Ok(Fenced { by, statement_starts_by })
}

/// Keeps the breaker open for a write without a fence; until when its statement may start.
async fn hold_open(instance: &Rc<Instance>) -> Result<Duration, Error> {
    let longest = instance.config.breaker_lease + instance.config.longest_statement();
    let began = clock::elapsed_after_blocking();
    let mut pause = hold_for_write(instance, longest).await?;
    if clock::elapsed_after_blocking().saturating_sub(began) >= SLOW_REPORT {
        pause = hold_for_write(instance, longest).await?;
    }
    let reported_at = clock::elapsed_after_blocking();
    wait(pause).await;
    Ok(reported_at + pause + instance.config.database_timeout)
}

async fn put_up(
    instance: &Rc<Instance>,
    connection: Rc<Connection>,
    keys: &[CacheKey],
    write_id: &str,
) -> Option<Rc<Connection>> {
    if cfg!(feature = "without-fence") {
        return Some(connection);
    }
    let script = |batch| Script::fence(&instance.config.namespace, batch, write_id, FENCE_MS);
    let fences = keys.chunks(KEYS_PER_SCRIPT).map(script);
    let answers = attempt(instance, connection.run_all(instance.config.redis_timeout, fences)).await?;
    if !cfg!(feature = "without-read-lease-wait") {
        // Before the statement and not behind it: else one reader could see the new row, and another one, later, the old.
        wait(wait_after_fence(&answers, instance.config.read_lease)).await;
    }
    Some(connection)
}

/// Pauses the write; mostly there is nothing to wait for.
pub async fn wait(pause: Duration) {
    if !pause.is_zero() {
        clock::sleep(pause).await;
    }
}
