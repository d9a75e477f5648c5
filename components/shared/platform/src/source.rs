//! A [`Source`] here: how PostgreSQL is read for it, and where its entry lies.

use crate::instance::Instance;
use crate::postgres::query;
use crate::region::read::{Server, read};
use crate::scope;
use cache::region::{attach, detach};
use cache::{Entry, Slot};
use rental::domain::TenantId;
use rental::error::Error;
use rental::source::Source;

/// Reads PostgreSQL. In a region the entry carries what its reader has seen ([`seen`]).
///
/// # Errors
/// Those of [`query`] or [`read`], and when the rows are not what the source promises.
pub async fn fetch(instance: &Instance, tenant: &TenantId, source: &Source, server: Server) -> Result<Entry, Error> {
    let statement = source.statement(tenant);
    if instance.config.region.is_none() {
        return source.entry(&query(instance, statement).await?);
    }
    // Boxed, as it is no part of what a single region's futures have.
    let (rows, seen) = Box::pin(read(instance, tenant, statement, server)).await?;
    let mut entry = source.entry(&rows)?;
    attach(&mut entry, seen);
    Ok(entry)
}

/// Takes from an entry what its reader has seen: the session of the request has seen it now.
pub fn seen(instance: &Instance, entry: &mut Entry) {
    if instance.config.region.is_some()
        && let Some(position) = detach(entry)
    {
        scope::saw(position);
    }
}

/// Where the entry of `source` lies; `field` is the source's.
pub fn slot<'a>(instance: &Instance, tenant: &TenantId, source: &Source, field: &'a str) -> Slot<'a> {
    let config = &instance.config;
    Slot::new(&config.namespace, config.seals.as_ref(), tenant.owner(), &source.resource(), field)
}
