//! After the statement: invalidation, or what is done where it cannot be made.

use super::fence::wait;
use crate::breaker::admission::trusted;
use crate::breaker::attempt::{attempt, connect};
use crate::breaker::events::take_out_of_use;
use crate::breaker::record;
use crate::instance::Instance;
use crate::postgres::outbox::{self, KEYS_PER_SCRIPT};
use crate::redis::Connection;
use cache::breaker::{Event, Record};
use cache::protocol::{AfterStatement, FENCE_MS, after_fenced, after_unfenced};
use cache::read_lease::wait_after_unfence;
use cache::{CacheKey, RedisFailure, Script};
use futures::future::join;
use rental::error::Error;
use std::rc::Rc;

/// Leaves a write alone whose statement has not ended for us and may not have for PostgreSQL. Its fence stands, and when that
/// has run out the tenant is in doubt ([`cache::database`]); without a fence the probe waits for it. Where neither is so,
/// because another Redis has come into use or a probe has begun meanwhile, the cache is taken out of use for that wait.
///
/// # Errors
/// As [`take_out_of_use`].
pub async fn leave(instance: &Rc<Instance>, fenced_by: Option<Rc<Connection>>) -> Result<(), Error> {
    let record = record::read(instance).await.ok().flatten().map(|lease| lease.shared_record());
    let (record, now, lease) = (record.as_deref(), record::now_ms(instance), instance.config.breaker_lease);
    let next = match fenced_by {
        Some(connection) => after_fenced(record, &connection.run_id, now, lease),
        None => after_unfenced(record, now, lease),
    };
    if let AfterStatement::Invalidate | AfterStatement::Quarantine = next {
        quarantine(instance).await?;
    }
    Ok(())
}

/// Takes the cache out of use for all instances and waits until none of them may still act on an older lease.
async fn quarantine(instance: &Rc<Instance>) -> Result<(), Error> {
    wait(take_out_of_use(instance, |_| Event::MissedInvalidation).await?).await;
    Ok(())
}

/// Invalidates keys, and takes down the fence of `write` over them. In a region the fence over a `change`, the transaction that has made
/// it, stands until the log brings the write: so long its standby may show what was before.
///
/// # Errors
/// As every command of Redis.
pub async fn invalidate(
    instance: &Instance,
    connection: &Rc<Connection>,
    keys: &[CacheKey],
    write: &str,
    change: Option<u64>,
) -> Result<Vec<Vec<u8>>, RedisFailure> {
    let Some(transaction) = change.filter(|_| !cfg!(feature = "without-fence")) else {
        return outbox::invalidate(instance, connection, keys, write).await;
    };
    let namespace = &instance.config.namespace;
    let refence = |batch| Script::refence(namespace, batch, write, FENCE_MS, transaction);
    let scripts = keys.chunks(KEYS_PER_SCRIPT).map(refence);
    connection.run_all(instance.config.redis_timeout, scripts).await
}

/// Invalidates after the statement. `None` when that is left to the outbox. `change` is as in [`invalidate`].
///
/// # Errors
/// As [`take_out_of_use`].
pub async fn unfence(
    instance: &Rc<Instance>,
    fenced_by: Option<Rc<Connection>>,
    keys: &[CacheKey],
    write_id: &str,
    changed: bool,
    change: Option<u64>,
) -> Result<Option<Rc<Connection>>, Error> {
    let reading = async { record::read(instance).await.ok().flatten().map(|lease| lease.shared_record()) };
    let (connection, next) = match fenced_by {
        Some(connection) => {
            let invalidating = attempt(instance, invalidate(instance, &connection, keys, write_id, change));
            let (invalidated, record) = join(invalidating, reading).await;
            let next = match &invalidated {
                Some(_) => after_fenced(
                    record.as_deref(),
                    &connection.run_id,
                    record::now_ms(instance),
                    instance.config.breaker_lease,
                ),
                None => AfterStatement::Quarantine,
            };
            // Without its fence a reader may have stored the old value meanwhile, and others may answer again from that.
            wait(wait_after_unfence(&invalidated.unwrap_or_default(), instance.config.read_lease)).await;
            (Some(connection), next)
        }
        None if !changed => return Ok(None),
        None => {
            let record = reading.await;
            let next = after_unfenced(record.as_deref(), record::now_ms(instance), instance.config.breaker_lease);
            let connection = match (next, record) {
                (AfterStatement::Invalidate, Some(record)) => trusted_or_any(instance, record).await,
                _ => None,
            };
            (connection, next)
        }
    };
    let done = match (next, &connection) {
        (AfterStatement::Done, _) => true,
        (AfterStatement::Wait(pause), _) => {
            wait(pause).await;
            return Ok(None);
        }
        (AfterStatement::Invalidate, Some(connection)) => {
            let invalidated = attempt(instance, invalidate(instance, connection, keys, write_id, change)).await;
            if let Some(answers) = &invalidated {
                wait(wait_after_unfence(answers, instance.config.read_lease)).await;
            }
            invalidated.is_some()
        }
        (AfterStatement::Invalidate | AfterStatement::Quarantine, _) => false,
    };
    if !done {
        quarantine(instance).await?;
        return Ok(None);
    }
    Ok(connection)
}

/// While a probe runs, the Redis that answers is the one that will be trusted. Where the record still trusts another, none is told: the
/// write quarantines the cache.
async fn trusted_or_any(instance: &Rc<Instance>, record: Rc<Record>) -> Option<Rc<Connection>> {
    if record.admits() {
        return Some(trusted(instance, record).await?.connection);
    }
    connect(instance).await.filter(|connection| record.covers(&connection.run_id))
}
