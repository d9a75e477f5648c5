//! A [`Source`] here: how PostgreSQL is read for it, and where its entry lies.

use crate::instance::Instance;
use crate::postgres::query;
use cache::{Entry, Slot};
use rental::domain::TenantId;
use rental::error::Error;
use rental::source::Source;

/// Reads PostgreSQL.
///
/// # Errors
/// Those of [`query`], and when the rows are not what the source promises.
pub async fn fetch(instance: &Instance, tenant: &TenantId, source: &Source) -> Result<Entry, Error> {
    source.entry(&query(instance, source.statement(tenant)).await?)
}

/// Where the entry of `source` lies; `field` is the source's.
pub fn slot<'a>(instance: &Instance, tenant: &TenantId, source: &Source, field: &'a str) -> Slot<'a> {
    let config = &instance.config;
    Slot::new(&config.namespace, config.seals.as_ref(), tenant.owner(), &source.resource(), field)
}
