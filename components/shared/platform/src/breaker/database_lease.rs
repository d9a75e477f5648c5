//! Asking PostgreSQL what [`cache::database`] is about.

use super::events;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::postgres::call;
use crate::time::clock::elapsed;
use cache::breaker::LeaseState;
use cache::database::lineage::Seen;
use cache::database::{DOUBT_AFTER, DatabaseLease, DatabaseState};
use rental::domain::TenantId;
use rental::error::Error;
use rental::sql::{Column, Parameter, RowError, RowReader};
use std::rc::Rc;
use std::time::Duration;

/// How soon an instance asks again of its own accord, when PostgreSQL did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// What this instance knows of the database, less than a lease old: renewed in the background in its second half, and asked
/// for here when it has lapsed.
///
/// # Errors
/// When PostgreSQL does not answer.
pub async fn lease(instance: &Rc<Instance>) -> Result<Rc<DatabaseLease>, Error> {
    if let Some(lease) = held(instance) {
        return Ok(lease);
    }
    let waits_since = elapsed();
    let _turn = instance.database.asking.lock().await;
    if let Some(lease) = held(instance) {
        return Ok(lease);
    }
    // Those who waited for an answer share its failure: each with a question of its own would wait for all before it.
    let shared = instance.database.failed.borrow().clone().filter(|(failed_at, _)| *failed_at >= waits_since);
    if let Some((_, error)) = shared {
        return Err(error);
    }
    let answer = ask(instance).await;
    instance.database.failed.replace(answer.as_ref().err().map(|error| (elapsed(), error.clone())));
    answer
}

/// What PostgreSQL said of itself less than a lease ago, for an operator; `None` when it does not.
pub async fn database_state(instance: &Rc<Instance>) -> Option<DatabaseState> {
    Some(lease(instance).await.ok()?.state.clone())
}

/// Whether what is read of `tenant` from now on may be stored. Not when nobody can say.
pub async fn vouches_for(instance: &Rc<Instance>, tenant: &TenantId) -> bool {
    if cfg!(feature = "without-database-lease") {
        return true;
    }
    match lease(instance).await {
        Ok(lease) => lease.vouches_for(tenant.owner()),
        Err(error) => {
            log::write(Level::Warn, "database.unknown", &[("error", &error.to_string())]);
            false
        }
    }
}

fn held(instance: &Rc<Instance>) -> Option<Rc<DatabaseLease>> {
    let lease = instance.database.lease.borrow().clone()?;
    match lease.state(elapsed()) {
        LeaseState::Lapsed => return None,
        LeaseState::RenewSoon => renew_in_background(instance),
        LeaseState::Valid => {}
    }
    Some(lease)
}

fn renew_in_background(instance: &Rc<Instance>) {
    if instance.database.is_renewing.replace(true) {
        return;
    }
    let instance = Rc::clone(instance);
    crate::sdk::wasip3::spawn(async move {
        // Who needs it after this one has lapsed will ask again, and say so.
        let _ = ask(&instance).await;
        instance.database.is_renewing.set(false);
    });
}

async fn ask(instance: &Rc<Instance>) -> Result<Rc<DatabaseLease>, Error> {
    let asked_at = elapsed();
    let seconds = i64::try_from(DOUBT_AFTER.as_secs()).unwrap_or(i64::MAX);
    let rows = call(instance, "database_state", vec![Parameter::Integer(seconds)]).await?;
    let row = rows.first().ok_or_else(|| Error::Internal("a function answers no row".into()))?;
    let mut row = RowReader::new(row);
    let clock_ms = row.integer()?;
    let state = DatabaseState {
        clock_ms,
        statement_timeout_ms: row.integer()?,
        in_doubt: row.texts()?.to_vec(),
        lineage: lineage(&mut row, clock_ms)?,
    };
    instance.database.is_suspect.set(false);
    if let Some(seen) = &state.lineage {
        events::database_seen(instance, seen).await;
    }
    let lease = Rc::new(DatabaseLease::new(state, asked_at, elapsed()));
    let before = instance.database.lease.replace(Some(Rc::clone(&lease)));
    compare(before.as_deref(), &lease.state);
    Ok(lease)
}

fn lineage(row: &mut RowReader<'_>, clock_ms: i64) -> Result<Option<Seen>, RowError> {
    let (id, run) = (row.optional_text()?, row.optional_text()?);
    let (run_from, position) = (row.optional_integer()?, row.optional_integer()?);
    let (Some(id), Some(run), Some(position)) = (id, run, position) else {
        return Ok(None);
    };
    Ok(Some(Seen { id: id.into(), run: run.into(), run_from, position, clock_ms }))
}

/// Asks in the background, where nobody else may: an instance that only reads from the cache. So the record, which all
/// instances read, is what says whether it `is_overdue`; most of them live for a shorter time.
pub fn ask_if_due(instance: &Rc<Instance>, is_overdue: bool) {
    let now = elapsed();
    let is_due = is_overdue || instance.database.is_suspect.get();
    if is_due && instance.database.tried_at.get().is_none_or(|tried_at| now.saturating_sub(tried_at) >= RETRY_AFTER) {
        instance.database.tried_at.set(Some(now));
        renew_in_background(instance);
    }
}

/// Takes from the rows of a write which run of PostgreSQL it was done in, their last column. If this instance has not heard of
/// that run, it asks before anybody can store what the write made: what the record knows of a run is newer than every copy of
/// the disk that was made before it ([`cache::database::lineage::compare`]).
pub async fn notice_run(instance: &Rc<Instance>, rows: &mut [Vec<Column>]) {
    let mut runs = rows.iter_mut().map(Vec::pop);
    let Some(Some(Column::Text(run))) = runs.next() else {
        return;
    };
    runs.for_each(drop);
    let is_known = {
        let lease = instance.database.lease.borrow();
        let lineage = lease.as_ref().and_then(|lease| lease.state.lineage.as_ref());
        lineage.is_some_and(|seen| seen.run == run)
    };
    if !is_known && let Err(error) = ask(instance).await {
        log::write(Level::Warn, "database.unknown", &[("error", &error.to_string())]);
    }
}

/// Says what has gone wrong since.
fn compare(before: Option<&DatabaseLease>, now: &DatabaseState) {
    let before = before.map(|lease| &lease.state);
    if !now.ends_statements() && before.is_none_or(DatabaseState::ends_statements) {
        let limit = now.statement_timeout_ms.to_string();
        log::write(Level::Error, "database.statement_timeout", &[("milliseconds", &limit)]);
    }
    let doubts = before.map_or(&[][..], |state| &state.in_doubt);
    if now.in_doubt.iter().any(|tenant| !doubts.contains(tenant)) {
        log::write(Level::Warn, "database.writes_in_doubt", &[("tenants", &now.in_doubt.len().to_string())]);
    }
}
