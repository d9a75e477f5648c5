//! After the statement: invalidation, or what is done where it cannot be made.

use super::fence::wait;
use crate::breaker::admission::trusted;
use crate::breaker::attempt::{attempt, connect};
use crate::breaker::events::take_out_of_use;
use crate::breaker::record;
use crate::instance::Instance;
use crate::postgres::outbox;
use crate::redis::Connection;
use cache::CacheKey;
use cache::breaker::{Event, Record};
use cache::protocol::{AfterStatement, after_fenced, after_unfenced};
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

/// Invalidates after the statement. `None` when that is left to the outbox.
///
/// # Errors
/// As [`take_out_of_use`].
pub async fn unfence(
    instance: &Rc<Instance>,
    fenced_by: Option<Rc<Connection>>,
    keys: &[CacheKey],
    write_id: &str,
    changed: bool,
) -> Result<Option<Rc<Connection>>, Error> {
    let reading = async { record::read(instance).await.ok().flatten().map(|lease| lease.shared_record()) };
    let (connection, next) = match fenced_by {
        Some(connection) => {
            let invalidating = attempt(instance, outbox::invalidate(instance, &connection, keys, write_id));
            let (invalidated, record) = join(invalidating, reading).await;
            let next = match invalidated {
                Some(()) => after_fenced(
                    record.as_deref(),
                    &connection.run_id,
                    record::now_ms(instance),
                    instance.config.breaker_lease,
                ),
                None => AfterStatement::Quarantine,
            };
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
            attempt(instance, outbox::invalidate(instance, connection, keys, write_id)).await.is_some()
        }
        (AfterStatement::Invalidate | AfterStatement::Quarantine, _) => false,
    };
    if !done {
        quarantine(instance).await?;
        return Ok(None);
    }
    Ok(connection)
}

/// While a probe runs no Redis is trusted yet, and the one that answers is the one that will be.
async fn trusted_or_any(instance: &Rc<Instance>, record: Rc<Record>) -> Option<Rc<Connection>> {
    if record.admits() {
        return Some(trusted(instance, record).await?.connection);
    }
    connect(instance).await
}
