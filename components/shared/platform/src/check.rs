//! Watching the promise while it is kept: a sample of the hits is compared with PostgreSQL, in the background.
//!
//! Mostly one look by primary key shows that nothing has changed. If something has, the entry is examined as an operator's
//! verification would do it ([`super::verify`]): what is stale is told with the kind of write that left it, and deleted.

use super::breaker::usable;
use super::metrics;
use super::postgres::query;
use super::read::Cached;
use super::turns::Turns;
use super::verify::examine;
use rental::config::Config;
use rental::domain::{RowVersion, TenantId};
use rental::error::Error;
use rental::metrics::{Check, Count};
use rental::operator::pace::DEFAULT_RATE;
use rental::operator::verify::Verdict;
use rental::sql::Statement;
use rental::sql::{Parameter, RowReader};
use cache::{Entry, };
use rental::resource::Resource;
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

/// Looks, after the answer, whether a hit was what PostgreSQL has, if it is this one's turn.
pub fn sample(config: &Rc<Config>, wanted: &Cached<'_>, hit: &Entry) {
    let (Some(version), true) = (hit.version, is_due()) else {
        return;
    };
    let config = Rc::clone(config);
    let (tenant, resource) = (wanted.tenant.clone(), wanted.resource);
    spin_sdk::wasip3::spawn(async move {
        // When something could not be asked there will be other hits.
        if let Ok(Some(check)) = compare(&config, &tenant, resource, version).await {
            metrics::count(Count::Check(check));
            metrics::flush_later(&config);
        }
    });
}

async fn compare(
    config: &Rc<Config>,
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
    let rows = query(config, Statement::select(tenant, &sql).bind([Parameter::uuid(id)])).await?;
    let current = rows.first().map(|row| RowReader::new(row).from_integer(RowVersion::new)).transpose()?;
    if current == Some(version) {
        return Ok(Some(Check::Consistent));
    }
    let usable = usable(config).await?;
    let verdict = examine(config, &usable, &Turns::new(DEFAULT_RATE), tenant, resource, "cache.stale").await?;
    Ok(Some(match verdict {
        Verdict::Inconsistent(reason) => Check::Stale(reason),
        Verdict::Consistent | Verdict::Refused | Verdict::Gone => Check::Changed,
    }))
}
