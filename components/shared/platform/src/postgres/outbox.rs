//! The outbox: invalidations that committed with their writes and that Redis has not been told of yet.

use super::call;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::metrics;
use crate::redis::Connection;
use crate::time::clock;
use cache::{CacheKey, RedisFailure, Resource as _, Script};
use rental::domain::TenantId;
use rental::error::Error;
use rental::metrics::Count;
use rental::resource::Resource;
use rental::sql::{Column, Parameter, RowReader};
use std::rc::Rc;
use std::time::Duration;

/// How many rows are drained at a time.
const BATCH: i64 = 200;
/// How many keys go to Redis in one script: each stays below a few milliseconds, during which Redis serves nobody else.
pub const KEYS_PER_SCRIPT: usize = 500;
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
pub async fn drain(instance: &Instance, connection: &Rc<Connection>) -> Result<usize, Error> {
    let mut drained = 0;
    for _ in 0..MAX_BATCHES {
        match drain_batch(instance, connection, 0).await? {
            0 => return Ok(drained),
            rows => drained += rows,
        }
    }
    Err(Error::Unavailable("the outbox fills faster than it drains".into()))
}

/// What is left in the outbox.
pub struct Lag {
    /// How many rows.
    pub rows: i64,
    /// How old the oldest is, in seconds; 0 when there is none.
    pub oldest_seconds: i64,
}

/// Measures what is left in the outbox.
///
/// # Errors
/// When PostgreSQL fails.
pub async fn lag(instance: &Instance) -> Result<Lag, Error> {
    let rows = call(instance, "outbox_lag", Vec::new()).await?;
    let row = rows.first().ok_or_else(|| Error::Internal("a count answers no row".into()))?;
    let mut row = RowReader::new(row);
    Ok(Lag { rows: row.integer()?, oldest_seconds: row.integer()? })
}

/// Whether an invalidation of `resource` is in the outbox.
///
/// # Errors
/// When PostgreSQL fails.
pub async fn holds(instance: &Instance, tenant: &TenantId, resource: Resource) -> Result<bool, Error> {
    let rows = call(instance, "outbox_age", vec![Parameter::text(tenant), Parameter::text(resource)]).await?;
    let row = rows.first().ok_or_else(|| Error::Internal("a function answers no row".into()))?;
    Ok(RowReader::new(row).optional_integer()?.is_some())
}

/// Has the row of a write whose keys are invalidated removed after `SETTLE_AFTER`, with those of the writes that this
/// instance does meanwhile. `connection` is the Redis that was told.
pub fn settle_later(instance: &Rc<Instance>, connection: Rc<Connection>, tenant: &TenantId, write: String) {
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
    remove(instance, tenants, ids).await?;
    drain_batch(instance, connection, LEFT_BEHIND_SECONDS).await?;
    Ok(())
}

/// Drains one batch of rows older than `age` seconds; how many there were. Draining is idempotent and order does not
/// matter, so nothing is claimed: two drainers at once do some work twice, and neither waits for the other.
async fn drain_batch(instance: &Instance, connection: &Rc<Connection>, age: i64) -> Result<usize, Error> {
    let rows = call(instance, "outbox_oldest", vec![Parameter::Integer(age), Parameter::Integer(BATCH)]).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let (mut tenants, mut ids, mut scripts) = (Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        let (tenant, id, keys) = read(instance, row)?;
        // The row's id is its write's: a fence that was left standing comes down too.
        scripts.extend(unfences(&keys, &id));
        tenants.push(tenant.to_string());
        ids.push(id);
    }
    let invalidated = connection.run_all(instance.config.redis_timeout, scripts).await;
    invalidated.map_err(|failure| Error::Unavailable(failure.to_string()))?;
    remove(instance, tenants, ids).await?;
    instance.counts.count_many(Count::Drained, u64::try_from(rows.len()).unwrap_or_default());
    log::write(Level::Info, "outbox.drained", &[("rows", &rows.len().to_string())]);
    Ok(rows.len())
}

fn read(instance: &Instance, row: &[Column]) -> Result<(TenantId, String, Vec<CacheKey>), Error> {
    let mut row = RowReader::new(row);
    let tenant = row.parsed(TenantId::parse)?;
    let id = row.text()?.to_owned();
    let keys = row
        .texts()?
        .iter()
        .map(|name| {
            let resource =
                Resource::parse(name).ok_or_else(|| Error::Internal(format!("the outbox names {name:?}")))?;
            Ok(CacheKey::new(&instance.config.namespace, tenant.owner(), &resource))
        })
        .collect::<Result<_, Error>>()?;
    Ok((tenant, id, keys))
}

/// Invalidates keys in batches, and takes down the fence of `write` over them.
///
/// # Errors
/// As every command of Redis.
pub async fn invalidate(
    instance: &Instance,
    connection: &Rc<Connection>,
    keys: &[CacheKey],
    write: &str,
) -> Result<(), RedisFailure> {
    connection.run_all(instance.config.redis_timeout, unfences(keys, write)).await
}

fn unfences(keys: &[CacheKey], write: &str) -> impl Iterator<Item = Script> {
    keys.chunks(KEYS_PER_SCRIPT).map(move |batch| Script::unfence(batch, write))
}

async fn remove(instance: &Instance, tenants: Vec<String>, ids: Vec<String>) -> Result<(), Error> {
    call(instance, "outbox_remove", vec![Parameter::Texts(tenants), Parameter::Texts(ids)]).await?;
    Ok(())
}
