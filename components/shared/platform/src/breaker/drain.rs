//! Drains the outbox: tells Redis of invalidations that their writers did not tell it of, and removes their rows.

use super::record;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::metrics;
use crate::postgres::outbox;
use crate::redis::Connection;
use crate::region;
use crate::time::clock;
use cache::read_lease::wait_after_unfence;
use rental::domain::TenantId;
use rental::error::Error;
use rental::metrics::Count;
use std::rc::Rc;
use std::time::Duration;

/// How many rows are drained at a time.
const BATCH: i64 = 200;
/// How many batches one drain does before it leaves the rest to the next.
const MAX_BATCHES: u32 = 500;
/// A row that is older than this was left behind by its writer, which removes it [`SETTLE_AFTER`] its answer.
const LEFT_BEHIND_SECONDS: i64 = 15;
/// How long a row stays that nobody needs any more. A busy instance so removes them twenty times a second, and not with a
/// statement for each write, for which the next one waits.
const SETTLE_AFTER: Duration = Duration::from_millis(50);

/// Invalidates everything in the outbox; how many rows there were.
///
/// # Errors
/// When PostgreSQL or Redis fails, or when the outbox fills faster than it drains.
pub async fn drain(instance: &Rc<Instance>, connection: &Rc<Connection>) -> Result<usize, Error> {
    if let Some(region) = &instance.config.region {
        return Box::pin(region::log::drain(instance, region, connection)).await;
    }
    let mut drained = 0;
    for _ in 0..MAX_BATCHES {
        match drain_batch(instance, connection, 0).await? {
            0 => return Ok(drained),
            rows => drained += rows,
        }
    }
    Err(Error::Unavailable("the outbox fills faster than it drains".into()))
}

/// Has the row of a write whose keys are invalidated removed after `SETTLE_AFTER`, with those of the writes that this
/// instance does meanwhile. `connection` is the Redis that was told.
/// In a region the row stays for the others, and the log is read if that is due.
pub fn settle_later(instance: &Rc<Instance>, connection: Rc<Connection>, tenant: &TenantId, write: String) {
    if instance.config.region.is_some() {
        return region::lease::keep_up(instance, &connection);
    }
    let is_first = {
        let mut settled = instance.settled.borrow_mut();
        settled.push((tenant.to_string(), write));
        settled.len() == 1
    };
    if is_first {
        let instance = Rc::clone(instance);
        crate::sdk::wasip3::spawn(async move {
            clock::sleep(SETTLE_AFTER).await;
            let (tenants, ids) = instance.settled.take().into_iter().unzip();
            if let Err(error) = settle(&instance, &connection, tenants, ids).await {
                log::write(Level::Warn, "outbox.left", &[("error", &error.to_string())]);
            }
            metrics::flush_later(&instance);
        });
    }
}

/// Removes these rows, and drains some of what other writers left behind.
async fn settle(
    instance: &Instance,
    connection: &Rc<Connection>,
    tenants: Vec<String>,
    ids: Vec<String>,
) -> Result<(), Error> {
    outbox::remove(instance, tenants, ids).await?;
    drain_batch(instance, connection, LEFT_BEHIND_SECONDS).await?;
    Ok(())
}

/// Drains one batch of rows older than `age` seconds; how many there were. Draining is idempotent and order does not
/// matter, so nothing is claimed: two drainers at once do some work twice, and neither waits for the other.
async fn drain_batch(instance: &Instance, connection: &Rc<Connection>, age: i64) -> Result<usize, Error> {
    let rows = outbox::oldest(instance, age, BATCH).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    // A fence that was left standing comes down too.
    let scripts: Vec<_> = rows.iter().flat_map(|row| outbox::unfences(instance, &row.keys, &row.id)).collect();
    let invalidated = connection.run_all(instance.config.redis_timeout, scripts).await;
    let answers = invalidated.map_err(|failure| Error::Unavailable(failure.to_string()))?;
    // A write of others had no fence (`0019_other_writers.sql`).
    clock::sleep(wait_after_unfence(&answers, instance.config.read_lease)).await;
    check_trust(instance, connection).await?;
    let count = rows.len();
    let (tenants, ids) = rows.into_iter().map(|row| (row.tenant.to_string(), row.id)).unzip();
    outbox::remove(instance, tenants, ids).await?;
    instance.counts.count_many(Count::Drained, u64::try_from(count).unwrap_or_default());
    log::write(Level::Info, "outbox.drained", &[("rows", &count.to_string())]);
    Ok(count)
}

/// Fails when another Redis has taken this one's place since it was chosen: that one may have entries from before the rows. Asked after
/// this one was told, so that a later change of trust begins a later epoch.
async fn check_trust(instance: &Instance, connection: &Connection) -> Result<(), Error> {
    let unreadable =
        |error: crate::key_value::Unreadable| Error::Unavailable(format!("the breaker's record: {}", error.0));
    match record::read(instance).await.map_err(unreadable)? {
        Some(lease) if !lease.shared_record().covers(&connection.run_id) => {
            Err(Error::Unavailable("another Redis has taken this one's place".into()))
        }
        _ => Ok(()),
    }
}
