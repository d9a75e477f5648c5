//! Watching the promise while it is kept: a sample of the hits is compared with PostgreSQL, in the background.
//!
//! Before a change commits its fence has deleted the entry, and until it is answered none is stored. So an entry that is
//! still there *after* PostgreSQL has shown a newer row is stale, unless the cache was out of use in between.

use super::metrics;
use super::postgres::query;
use super::read::Cached;
use super::record;
use super::redis::connection;
use crate::cache::{CacheKey, Entry, Resource};
use crate::config::Config;
use crate::domain::{RowVersion, TenantId};
use crate::error::Error;
use crate::log::{self, Level};
use crate::metrics::{Check, Count};
use crate::row::{Parameter, RowReader};
use crate::statement::Statement;
use std::cell::Cell;
use std::rc::Rc;

/// Of so many hits of an instance one is checked: a statement by primary key for every 64 that PostgreSQL was spared.
const ONE_IN: u8 = 64;

thread_local! {
    /// Hits until the next check. Instances are too short-lived to all begin at the same number.
    static UNTIL_NEXT: Cell<Option<u8>> = const { Cell::new(None) };
}

fn is_due() -> bool {
    let left = UNTIL_NEXT.get().unwrap_or_else(|| super::clock::random::<1>().map_or(ONE_IN, |[byte]| byte % ONE_IN));
    UNTIL_NEXT.set(Some(left.checked_sub(1).unwrap_or(ONE_IN - 1)));
    left == 0
}

/// Looks, after the answer, whether a hit was what PostgreSQL has, if it is this one's turn. `name` is what the entry was
/// stored for.
pub fn sample(config: &Rc<Config>, wanted: &Cached<'_>, name: &str, hit: &Entry) {
    let (Some(version), true) = (hit.version, is_due()) else {
        return;
    };
    let key = CacheKey::new(&config.namespace, wanted.tenant, wanted.resource);
    let (config, name) = (Rc::clone(config), name.to_owned());
    let (tenant, resource) = (wanted.tenant.clone(), wanted.resource);
    spin_sdk::wasip3::spawn(async move {
        // When something could not be asked there will be other hits.
        if let Ok(Some(check)) = compare(&config, &key, &name, &tenant, resource, version).await {
            if check == Check::Stale {
                log::write(Level::Error, "cache.stale", &[]);
            }
            metrics::count(Count::Check(check));
            metrics::flush_later(&config);
        }
    });
}

async fn compare(
    config: &Config,
    key: &CacheKey,
    name: &str,
    tenant: &TenantId,
    resource: Resource,
    version: RowVersion,
) -> Result<Option<Check>, Error> {
    let (table, id) = match resource {
        Resource::Property(id) => ("properties", id.to_string()),
        Resource::Payment(id) => ("payments", id.to_string()),
        Resource::PropertyList | Resource::PaymentList(_) => return Ok(None),
    };
    let record = || async { record::read(config).await.ok().flatten().map(|lease| lease.shared_record()) };
    let before = record().await;
    let sql = format!("SELECT row_version FROM {table} WHERE tenant_id = $1 AND id = $2");
    let rows = query(config, Statement::select(tenant, &sql).bind([Parameter::uuid(id)])).await?;
    let current = rows.first().map(|row| RowReader::new(row).from_integer(RowVersion::new)).transpose()?;
    if current == Some(version) {
        return Ok(Some(Check::Consistent));
    }
    let Ok(kept) = connection(config).await else {
        return Ok(None);
    };
    let Ok(found) = kept.get(config.redis_timeout, key, "").await else {
        return Ok(None);
    };
    let (Some(before), Some(after)) = (before, record().await) else {
        return Ok(None);
    };
    let was_in_use = before.admits() && after.admits() && before.since_ms == after.since_ms;
    let seal = config.seals.as_ref().map(|seals| seals.of(tenant));
    let entry = found.and_then(|bytes| Entry::open(bytes, name, after.epoch, seal.as_deref()).ok());
    let is_still_there = entry.is_some_and(|entry| entry.version == Some(version));
    let is_stale = was_in_use && is_still_there && after.trusts(&kept.run_id);
    Ok(Some(if is_stale { Check::Stale } else { Check::Changed }))
}
