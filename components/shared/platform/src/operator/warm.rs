//! Warming the cache: the I/O around [`rental::operator::warm`].

use crate::breaker::admission::usable;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::pacing::Pacing;
use crate::postgres::{call, query};
use crate::read::warm::{Filled, fill_through};
use crate::source::{fetch, slot};
use crate::time::clock;
use rental::domain::{PropertyId, TenantId};
use rental::error::Error;
use rental::operator::Warmed;
use rental::operator::pace::WORKING_TIME;
use rental::operator::warm::{PROPERTIES_AT_A_TIME, Step, TENANTS_AT_A_TIME, WarmCursor, WarmOrder, Warming};
use rental::sql::{Parameter, RowReader, Statement};
use std::rc::Rc;

/// Goes on with a warming for as many entries as are ordered and as long as a request may work, with one statement at a time.
/// Whoever reads meanwhile finds the lock or the entry, and whoever writes breaks it, as with every other reader.
///
/// # Errors
/// [`Error::CacheOutOfUse`], and [`Error::Unavailable`] or [`Error::Busy`] when PostgreSQL cannot be asked. What was stored
/// by then stays, and the same request finds it there.
pub async fn warm(instance: &Rc<Instance>, order: &WarmOrder) -> Result<Warmed, Error> {
    usable(instance).await?;
    let (mut warming, pacing) = (Warming::new(order), Pacing::new(order.rate));
    let (mut done, mut last) = (Warmed::default(), order.cursor.clone());
    let began = clock::elapsed();
    loop {
        pacing.wait().await;
        match warming.step() {
            Step::ListTenants { hours, after } => {
                let (tenants, all) = pacing.take(active_tenants(instance, hours, &after)).await?;
                warming.take_tenants(tenants, all);
            }
            Step::ListProperties { tenant, after } => {
                warming.take_properties(pacing.take(properties(instance, &tenant, after)).await?);
            }
            Step::Entry(cursor) => {
                let is_late = done.entries() > 0 && clock::elapsed().saturating_sub(began) >= WORKING_TIME;
                if done.entries() == order.limit || is_late {
                    done.cursor = last.as_ref().map(WarmCursor::to_string);
                    break;
                }
                *match fill(instance, &cursor, &pacing).await? {
                    Filled::Stored => &mut done.warmed,
                    Filled::Present => &mut done.already_there,
                    Filled::Unstored => &mut done.not_stored,
                } += 1;
                last = Some(cursor);
            }
            Step::Done => {
                done.done = true;
                break;
            }
        }
    }
    done.tenants_left = warming.tenants_left();
    let fields = [("warmed", done.warmed), ("already_there", done.already_there), ("not_stored", done.not_stored)];
    let fields = fields.map(|(name, count)| (name, count.to_string()));
    log::write(Level::Info, "cache.warmed", &fields.each_ref().map(|(name, count)| (*name, count.as_str())));
    Ok(done)
}

/// Sees to one entry.
async fn fill(instance: &Rc<Instance>, cursor: &WarmCursor, pacing: &Pacing) -> Result<Filled, Error> {
    let source = cursor.source()?;
    let Some(field) = source.field()? else {
        return Ok(Filled::Unstored);
    };
    let tenant = &cursor.tenant;
    let slot = slot(instance, tenant, &source, &field);
    let filled = fill_through(instance, tenant, &slot, async |server| {
        pacing.take(fetch(instance, tenant, &source, server)).await
    })
    .await;
    match filled {
        Ok(filled) => filled.ok_or(Error::CacheOutOfUse),
        // A row that cannot be read is a defect, and no reason to leave everybody else's out.
        Err(error @ Error::Internal(_)) => {
            log::write(Level::Error, "cache.not_warmed", &[("error", &error.to_string())]);
            Ok(Filled::Unstored)
        }
        Err(error) => Err(error),
    }
}

/// The next active tenants behind `after`, and how many there are behind it in all.
async fn active_tenants(instance: &Rc<Instance>, hours: u64, after: &str) -> Result<(Vec<TenantId>, u64), Error> {
    let number = |number: u64| Parameter::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let at_most = number(u64::try_from(TENANTS_AT_A_TIME).unwrap_or(u64::MAX));
    let rows = call(instance, "active_tenants", vec![number(hours), Parameter::text(after), at_most]).await?;
    let mut all = 0;
    let mut tenants = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut row = RowReader::new(row);
        tenants.push(row.parsed(TenantId::parse)?);
        all = row.from_integer(|count| u64::try_from(count).ok())?;
    }
    Ok((tenants, all))
}

/// The next properties of a tenant behind `after`, by their ids.
async fn properties(
    instance: &Rc<Instance>,
    tenant: &TenantId,
    after: Option<PropertyId>,
) -> Result<Vec<PropertyId>, Error> {
    let behind = if after.is_some() { " AND p.id > $2" } else { "" };
    let sql = format!(
        "SELECT p.id FROM properties p WHERE p.tenant_id = $1{behind} ORDER BY p.id LIMIT {PROPERTIES_AT_A_TIME}"
    );
    let rows = query(instance, Statement::select(tenant, &sql).bind(after.map(Parameter::uuid))).await?;
    Ok(rows.iter().map(|row| RowReader::new(row).parsed(PropertyId::parse)).collect::<Result<_, _>>()?)
}
