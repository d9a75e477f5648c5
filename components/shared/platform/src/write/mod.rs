//! Writing: fence, one statement, unfence. The I/O around the protocol of the crate `cache`.

mod fence;
mod unfence;

use crate::breaker::attempt::attempt;
use crate::breaker::database_lease;
use crate::breaker::drain::settle_later;
use crate::instance::Instance;
use crate::postgres::{Failure, run_write};
use crate::region::read::take_progress_of_write;
use crate::scope;
use crate::time::new_id;
use cache::CacheKey;
use fence::{Fenced, fence};
use rental::domain::TenantId;
use rental::error::Error;
use rental::resource::Resource;
use rental::sql::{Column, Parameter, Statement};
use std::rc::Rc;
use unfence::{invalidate, leave, unfence};

/// What a statement did.
pub struct Written<T> {
    /// What the caller makes of its rows.
    pub result: T,
    /// Whether anything changed, and so whether there is a row in the outbox.
    pub changed: bool,
    /// What it changed besides the resources that were named beforehand.
    pub also: Vec<Resource>,
}

/// Runs one statement that changes `resources` of `tenant`, so that no read that starts after the answer sees what was
/// before. `statement` is given the row that it must insert into the outbox, as two parameters: the id of the write, and the
/// names of `resources`. `read` makes something of its rows.
///
/// # Errors
/// Those of the statement. Redis never makes a write fail; Redis and PostgreSQL together do
/// ([`take_out_of_use`](crate::breaker::events::take_out_of_use)).
pub async fn write<T>(
    instance: &Rc<Instance>,
    tenant: &TenantId,
    resources: &[Resource],
    statement: impl FnOnce([Parameter; 2]) -> Statement,
    read: impl FnOnce(Vec<Vec<Column>>) -> Result<Written<T>, Error>,
) -> Result<T, Error> {
    let key = |resource: &Resource| CacheKey::new(&instance.config.namespace, tenant.owner(), resource);
    let mut keys: Vec<CacheKey> = resources.iter().map(key).collect();
    let write_id = new_id(|ms, random| uuid::Builder::from_unix_timestamp_millis(ms, random).into_uuid())?.to_string();

    // Its clock decides when it is too late for the statement.
    let database = database_lease::lease(instance).await?;
    let Fenced { by: fenced_by, statement_starts_by } = fence(instance, &keys, &write_id).await?;
    let names = resources.iter().map(ToString::to_string).collect();
    let outbox_row = [Parameter::uuid(&write_id), Parameter::Texts(names)];
    let statement = statement(outbox_row).started_by(database.by_its_clock(statement_starts_by));
    let is_in_region = instance.config.region.is_some();
    let statement = if is_in_region { statement.with_progress() } else { statement };
    let mut rows = match run_write(instance, statement).await {
        Ok(rows) => rows,
        Err(Failure { error, may_have_run: true, .. }) => {
            // The error is that of the statement, whatever becomes of the record.
            let _ = leave(instance, fenced_by).await;
            return Err(error);
        }
        Err(Failure { error, may_have_run: false, .. }) => {
            if let Some(connection) = fenced_by {
                attempt(instance, invalidate(instance, &connection, &keys, &write_id, None)).await;
            }
            return Err(error);
        }
    };
    let transaction = match is_in_region {
        true => {
            let seen = match take_progress_of_write(&mut rows) {
                Ok(seen) => seen,
                Err(error) => {
                    // It has run, and nobody knows where.
                    let _ = leave(instance, fenced_by).await;
                    return Err(error);
                }
            };
            scope::saw(seen);
            Some(seen.own)
        }
        false => None,
    };
    // Before the new row can be stored: the record knows the run of PostgreSQL that made it.
    database_lease::notice_run(instance, &mut rows).await;
    let written = read(rows)?;
    keys.extend(written.also.iter().map(key));
    let invalidated_by =
        unfence(instance, fenced_by, &keys, &write_id, written.changed, transaction.filter(|_| written.changed))
            .await?;
    if let (Some(connection), true) = (invalidated_by, written.changed) {
        settle_later(instance, connection, tenant, write_id);
    }
    Ok(written.result)
}
