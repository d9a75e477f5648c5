//! Reading what a [`Source`] says: through the cache, or from PostgreSQL alone.

use super::postgres::query;
use super::read::{Cached, read_through};
use rental::config::Config;
use rental::domain::TenantId;
use rental::error::Error;
use rental::source::Source;
use cache::{CacheStatus, Entry};
use std::rc::Rc;

/// Answers from the cache, or from PostgreSQL and fills the cache; what is not cached is read from PostgreSQL.
///
/// # Errors
/// Those of [`fetch`].
pub async fn read(config: &Rc<Config>, tenant: &TenantId, source: &Source) -> Result<(Entry, CacheStatus), Error> {
    let Some(field) = source.field()? else {
        return Ok((fetch(config, tenant, source).await?, CacheStatus::Bypass));
    };
    let wanted = Cached { tenant, resource: source.resource(), field: &field };
    read_through(config, wanted, async || fetch(config, tenant, source).await).await
}

/// Reads PostgreSQL.
///
/// # Errors
/// Those of [`query`], and when the rows are not what the source promises.
pub async fn fetch(config: &Config, tenant: &TenantId, source: &Source) -> Result<Entry, Error> {
    source.entry(&query(config, source.statement(tenant)).await?)
}
