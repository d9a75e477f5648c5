//! Watching the promise while it is kept: a sample of the hits is compared with PostgreSQL, in the background.
//!
//! Mostly one look by primary key shows that nothing has changed. If something has, the entry is examined as an operator's
//! verification would do it ([`crate::examine`]): what is stale is told with the kind of write that left it, and deleted.

use crate::breaker::admission::usable;
use crate::examine::examine;
use crate::instance::Instance;
use crate::metrics;
use crate::pacing::Pacing;
use crate::postgres::query;
use crate::time::clock::elapsed;
use crate::time::random;
use cache::Entry;
use rental::domain::{RowVersion, TenantId};
use rental::error::Error;
use rental::metrics::{Check, Count};
use rental::operator::pace::DEFAULT_RATE;
use rental::operator::sampling::Sampling;
use rental::resource::Resource;
use rental::sql::{Parameter, RowReader, Statement};
use std::rc::Rc;

fn is_due(instance: &Instance) -> bool {
    let kept = instance.sampling.get();
    // Without randomness it begins like any other.
    let mut sampling = kept.unwrap_or_else(|| Sampling::new(random::<1>().map_or(0, |[byte]| byte)));
    let is_due = sampling.is_due(elapsed);
    instance.sampling.set(Some(sampling));
    is_due
}

/// Looks, after the answer, whether a hit was what PostgreSQL has, if it is this one's turn.
pub fn sample(instance: &Rc<Instance>, tenant: &TenantId, resource: Resource, hit: &Entry) {
    let (Some(version), true) = (hit.version.and_then(RowVersion::from_entry), is_due(instance)) else {
        return;
    };
    let instance = Rc::clone(instance);
    let tenant = tenant.clone();
    crate::sdk::wasip3::spawn(async move {
        // When something could not be asked there will be other hits.
        if let Ok(Some(check)) = compare(&instance, &tenant, resource, version).await {
            instance.counts.count(Count::Check(check));
            metrics::flush_later(&instance);
        }
    });
}

async fn compare(
    instance: &Rc<Instance>,
    tenant: &TenantId,
    resource: Resource,
    version: RowVersion,
) -> Result<Option<Check>, Error> {
    let (table, id) = match resource {
        Resource::Property(id) => ("properties", id.to_string()),
        Resource::Payment(id) => ("payments", id.to_string()),
        Resource::PropertyList | Resource::PaymentList(_) => return Ok(None),
    };
    let sql = format!("SELECT row_version FROM {table} WHERE tenant_id = $1 AND id = $2");
    let rows = query(instance, Statement::select(tenant, &sql).bind([Parameter::uuid(id)])).await?;
    let current = rows.first().map(|row| RowReader::new(row).from_integer(RowVersion::new)).transpose()?;
    if current == Some(version) {
        return Ok(Some(Check::Consistent));
    }
    let usable = usable(instance).await?;
    let finding = examine(instance, &usable, &Pacing::new(DEFAULT_RATE), tenant, resource, "cache.stale").await?;
    Ok(Some(Check::of(finding)))
}
