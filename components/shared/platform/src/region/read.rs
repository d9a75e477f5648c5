//! Reading PostgreSQL in a region, with what the session has seen.

use super::standby;
use crate::instance::Instance;
use crate::postgres::{call, query};
use crate::scope;
use crate::time::clock::{elapsed, sleep};
use cache::region::{Near, Position, Progress};
use rental::domain::TenantId;
use rental::error::Error;
use rental::sql::{Column, Parameter, RowReader, Statement};
use std::time::Duration;

/// How long to wait until the primary may show what it has sent to the standbys.
const PAUSE: Duration = Duration::from_millis(10);

/// Which server a read may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The primary.
    Primary,
    /// The region's standby, if it shows everything up to this point, else the primary.
    Near {
        /// The primary's timeline.
        timeline: u32,
        /// What the standby must show.
        near: Near,
    },
}

/// The rows of `statement`, and what has been seen by who reads them.
///
/// # Errors
/// Those of [`query`]; [`Error::Unavailable`] when the primary does not show in time what the session of the request has seen.
pub async fn read(
    instance: &Instance,
    tenant: &TenantId,
    statement: Statement,
    server: Server,
) -> Result<(Vec<Vec<Column>>, Position), Error> {
    let demand = scope::demand();
    if let Server::Near { timeline, near } = server
        && let Some(found) = standby::read(instance, &statement, near, Position { timeline, ..demand }).await
    {
        return Ok(found);
    }
    let (began, mut shows_all, mut awaited) = (elapsed(), false, None);
    loop {
        let mut rows = query(instance, statement.clone().with_progress()).await?;
        let progress = take_progress(&mut rows)?;
        let seen = progress.at_primary().ok_or_else(|| Error::Internal("a standby answered for the primary".into()))?;
        if shows_all || progress.primary_shows(demand) {
            return Ok((rows, seen));
        }
        if elapsed().saturating_sub(began) >= instance.config.database_timeout {
            return Err(Error::Unavailable("the primary does not show yet what the session has seen".into()));
        }
        // What holds its horizon back may be none of this tenant's writes, and those that begin from now on are none that were seen.
        let now = writes_in_progress(instance, tenant).await?;
        let awaited = awaited.get_or_insert_with(|| now.clone());
        shows_all = !awaited.iter().any(|write| now.contains(write));
        if !shows_all {
            sleep(PAUSE).await;
        }
    }
}

/// The transactions of this tenant's writes that may have committed and not be seen yet.
async fn writes_in_progress(instance: &Instance, tenant: &TenantId) -> Result<Vec<String>, Error> {
    let rows = call(instance, "writes_in_progress_of", vec![Parameter::text(tenant)]).await?;
    let row = rows.first().ok_or_else(|| Error::Internal("a function answers no row".into()))?;
    Ok(RowReader::new(row).texts()?.to_vec())
}

/// Takes from rows what [`Statement::with_progress`] has added to them.
///
/// # Errors
/// When it is not there.
pub fn take_progress(rows: &mut Vec<Vec<Column>>) -> Result<Progress, Error> {
    let mut progress = None;
    rows.retain_mut(|row| {
        let (told, is_row) = (row.pop(), row.pop());
        if let Some(Column::Text(told)) = told {
            progress = Some(told);
        }
        is_row == Some(Column::Boolean(true))
    });
    let progress = progress.ok_or_else(|| Error::Internal("PostgreSQL does not say how far it is".into()))?;
    progress.parse().map_err(|error: cache::region::Unreadable| Error::Internal(error.to_string()))
}

/// Takes from the rows of a write what [`Statement::with_progress`] has added; what its session has seen.
///
/// # Errors
/// When it is not there.
pub fn take_progress_of_write(rows: &mut [Vec<Column>]) -> Result<Position, Error> {
    let told = rows.iter_mut().map(Vec::pop).last().flatten();
    let progress = match told {
        Some(Column::Text(told)) => told.parse::<Progress>().ok(),
        _ => None,
    };
    let seen = progress.and_then(|progress| progress.at_primary());
    seen.ok_or_else(|| Error::Internal("PostgreSQL does not say how far it is".into()))
}
