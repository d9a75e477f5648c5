//! The outbox: invalidations that committed with their writes and that Redis has not been told of yet.

use super::call;
use crate::instance::Instance;
use crate::redis::Connection;
use cache::{CacheKey, RedisFailure, Resource as _, Script};
use rental::domain::TenantId;
use rental::error::Error;
use rental::resource::Resource;
use rental::sql::{Parameter, RowReader};
use std::rc::Rc;

/// How many keys go to Redis in one script: each stays below a few milliseconds, during which Redis serves nobody else.
pub const KEYS_PER_SCRIPT: usize = 500;
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

/// An invalidation that Redis may not have been told of.
pub struct Row {
    /// Whose keys they are.
    pub tenant: TenantId,
    /// The row's id, which is its write's.
    pub id: String,
    /// What is to be invalidated.
    pub keys: Vec<CacheKey>,
}

/// The oldest rows that are older than `age` seconds, at most `count`.
///
/// # Errors
/// When PostgreSQL fails, or when a row names no key of ours.
pub async fn oldest(instance: &Instance, age: i64, count: i64) -> Result<Vec<Row>, Error> {
    let rows = call(instance, "outbox_oldest", vec![Parameter::Integer(age), Parameter::Integer(count)]).await?;
    rows.iter().map(|row| read(instance, &mut RowReader::new(row))).collect()
}

/// Reads tenant, id and resources.
///
/// # Errors
/// When the row names no key of ours.
pub fn read(instance: &Instance, row: &mut RowReader<'_>) -> Result<Row, Error> {
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
    Ok(Row { tenant, id, keys })
}

/// Invalidates keys in batches, and takes down the fence of `write` over them; what the scripts answer.
///
/// # Errors
/// As every command of Redis.
pub async fn invalidate(
    instance: &Instance,
    connection: &Rc<Connection>,
    keys: &[CacheKey],
    write: &str,
) -> Result<Vec<Vec<u8>>, RedisFailure> {
    connection.run_all(instance.config.redis_timeout, unfences(instance, keys, write)).await
}

/// The scripts of [`invalidate`].
pub fn unfences(instance: &Instance, keys: &[CacheKey], write: &str) -> impl Iterator<Item = Script> {
    keys.chunks(KEYS_PER_SCRIPT).map(move |batch| Script::unfence(&instance.config.namespace, batch, write))
}

/// Removes the rows of these tenants' writes.
///
/// # Errors
/// When PostgreSQL fails.
pub async fn remove(instance: &Instance, tenants: Vec<String>, ids: Vec<String>) -> Result<(), Error> {
    call(instance, "outbox_remove", vec![Parameter::Texts(tenants), Parameter::Texts(ids)]).await?;
    Ok(())
}
