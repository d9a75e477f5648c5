//! Reads of the region's standby.

use super::read::take_progress;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::postgres::at_standby;
use crate::time::clock::elapsed;
use crate::time::within;
use cache::region::{Near, Position, Progress, Replayed};
use rental::error::Error;
use rental::sql::{Column, Statement};
use std::time::Duration;

/// How long a read waits for the standby before it asks the primary: far longer than a healthy one takes, and less than a statement
/// may take, so that there is time for the primary.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long a standby that has failed is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(2);
/// What a standby says before it is read.
const PROGRESS: &str = "SELECT read_progress()";

/// The rows of `statement` from the standby, and what has been seen by who reads them. `None` when there is no standby, when it does
/// not answer, or when it does not show what `near` says and everything that `demand` has seen.
pub async fn read(
    instance: &Instance,
    statement: &Statement,
    near: Near,
    demand: Position,
) -> Option<(Vec<Vec<Column>>, Position)> {
    let region = instance.config.region.as_ref()?;
    let url = region.read_url.as_deref()?;
    let failed_at = instance.region.failed_at.get();
    if failed_at.is_some_and(|failed_at| elapsed().saturating_sub(failed_at) < LEFT_ALONE) {
        return None;
    }
    let work = async {
        // It must have been as far before it takes the snapshot: what it says in the same statement is newer than that.
        let Some(before) = replayed(instance, url, near.lsn.max(demand.lsn)).await? else {
            return Ok(None);
        };
        let (sql, parameters) =
            statement.clone().at_standby(instance.config.namespace.name(), &region.name).into_parts();
        let mut rows = at_standby(instance, url, &sql, parameters).await?;
        let progress = take_progress(&mut rows)?;
        let seen = progress.at_standby(before, near, demand);
        keep(instance, &progress);
        Ok::<_, Error>(seen.map(|seen| (rows, seen)))
    };
    match within(PATIENCE, work).await {
        Some(Ok(found)) => found,
        failed => {
            let error = failed.and_then(Result::err).map_or("it does not answer".into(), |error| error.to_string());
            log::write(Level::Warn, "region.standby_unavailable", &[("error", &error)]);
            instance.region.failed_at.set(Some(elapsed()));
            None
        }
    }
}

/// How far the standby was at some time before now, if that is far enough.
async fn replayed(instance: &Instance, url: &str, needed: u64) -> Result<Option<Replayed>, Error> {
    let known = instance.region.replayed.get().filter(|known| known.lsn >= needed);
    if known.is_some() {
        return Ok(known);
    }
    let rows = at_standby(instance, url, PROGRESS, Vec::new()).await?;
    let told = match rows.first().and_then(|row| row.first()) {
        Some(Column::Text(told)) => told.parse::<Progress>().ok(),
        _ => None,
    };
    let progress = told.ok_or_else(|| Error::Internal("PostgreSQL does not say how far it is".into()))?;
    keep(instance, &progress);
    Ok(instance.region.replayed.get().filter(|known| known.lsn >= needed))
}

/// Remembers how far the standby is. One that has been promoted is none.
fn keep(instance: &Instance, progress: &Progress) {
    let replayed = Replayed { server: progress.server, lsn: progress.lsn };
    instance.region.replayed.set(progress.timeline.is_none().then_some(replayed));
}
