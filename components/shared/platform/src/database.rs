//! Asking PostgreSQL what [`cache::database`] is about.

use super::breaker;
use super::clock::{self, elapsed};
use super::postgres::call;
use rental::config::Config;
use rental::domain::TenantId;
use rental::error::Error;
use crate::log::{self, Level};
use rental::sql::{Column, Parameter, RowError, RowReader};
use async_lock::Mutex;
use cache::breaker::LeaseState;
use cache::database::lineage::Seen;
use cache::database::{DOUBT_AFTER, DatabaseLease, DatabaseState};
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long a probe waits for the writes in progress: far longer than a write takes that nothing holds up, and so much less
/// than the probe's own lease that there is time for the outbox.
const WRITES_PATIENCE: Duration = Duration::from_secs(4);
/// How long it pauses before it looks again.
const PAUSE: Duration = Duration::from_millis(25);
/// How soon an instance asks again of its own accord, when PostgreSQL did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(2);

thread_local! {
    static LEASE: RefCell<Option<Rc<DatabaseLease>>> = const { RefCell::new(None) };
    static IS_RENEWING: Cell<bool> = const { Cell::new(false) };
    static IS_SUSPECT: Cell<bool> = const { Cell::new(false) };
    /// When it last asked of its own accord.
    static TRIED_AT: Cell<Option<Duration>> = const { Cell::new(None) };
    /// Who asks; the others wait for what is answered.
    static ASKING: Arc<Mutex<()>> = Arc::new(Mutex::new(()));
    /// When PostgreSQL last left a question without an answer, and why.
    static FAILED: RefCell<Option<(Duration, Error)>> = const { RefCell::new(None) };
}

/// What this instance knows of the database, less than a lease old: renewed in the background in its second half, and asked
/// for here when it has lapsed.
///
/// # Errors
/// When PostgreSQL does not answer.
pub async fn lease(config: &Rc<Config>) -> Result<Rc<DatabaseLease>, Error> {
    if let Some(lease) = held(config) {
        return Ok(lease);
    }
    let (asking, waits_since) = (ASKING.with(Arc::clone), elapsed());
    let _turn = asking.lock().await;
    if let Some(lease) = held(config) {
        return Ok(lease);
    }
    // Those who waited for an answer share its failure: each with a question of its own would wait for all before it.
    let shared = FAILED.with_borrow(|failed| failed.clone().filter(|(failed_at, _)| *failed_at >= waits_since));
    if let Some((_, error)) = shared {
        return Err(error);
    }
    let answer = ask(config).await;
    FAILED.set(answer.as_ref().err().map(|error| (elapsed(), error.clone())));
    answer
}

/// What PostgreSQL said of itself less than a lease ago, for an operator; `None` when it does not.
pub async fn database_state(config: &Rc<Config>) -> Option<DatabaseState> {
    Some(lease(config).await.ok()?.state.clone())
}

/// Whether what is read of `tenant` from now on may be stored. Not when nobody can say.
pub async fn vouches_for(config: &Rc<Config>, tenant: &TenantId) -> bool {
    if cfg!(feature = "without-database-lease") {
        return true;
    }
    match lease(config).await {
        Ok(lease) => lease.vouches_for(tenant),
        Err(error) => {
            log::write(Level::Warn, "database.unknown", &[("error", &error.to_string())]);
            false
        }
    }
}

fn held(config: &Rc<Config>) -> Option<Rc<DatabaseLease>> {
    let lease = LEASE.with_borrow(Clone::clone)?;
    match lease.state(elapsed()) {
        LeaseState::Lapsed => return None,
        LeaseState::RenewSoon => renew_in_background(config),
        LeaseState::Valid => {}
    }
    Some(lease)
}

fn renew_in_background(config: &Rc<Config>) {
    if IS_RENEWING.replace(true) {
        return;
    }
    let config = Rc::clone(config);
    spin_sdk::wasip3::spawn(async move {
        // Who needs it after this one has lapsed will ask again, and say so.
        let _ = ask(&config).await;
        IS_RENEWING.set(false);
    });
}

async fn ask(config: &Rc<Config>) -> Result<Rc<DatabaseLease>, Error> {
    let asked_at = elapsed();
    let seconds = i64::try_from(DOUBT_AFTER.as_secs()).unwrap_or(i64::MAX);
    let rows = call(config, "database_state", vec![Parameter::Integer(seconds)]).await?;
    let row = rows.first().ok_or_else(|| Error::Internal("a function answers no row".into()))?;
    let mut row = RowReader::new(row);
    let clock_ms = row.integer()?;
    let state = DatabaseState {
        clock_ms,
        statement_timeout_ms: row.integer()?,
        in_doubt: row.texts()?.to_vec(),
        lineage: lineage(&mut row, clock_ms)?,
    };
    IS_SUSPECT.set(false);
    if let Some(seen) = &state.lineage {
        breaker::database_seen(config, seen);
    }
    let lease = Rc::new(DatabaseLease::new(state, asked_at, elapsed()));
    let before = LEASE.replace(Some(Rc::clone(&lease)));
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

/// Has the next who needs to know of the database ask.
pub fn forget() {
    LEASE.set(None);
}

/// Something is wrong with PostgreSQL, or with the way to it: when it answers again, it may be another one.
pub fn suspect() {
    IS_SUSPECT.set(true);
}

/// Asks in the background, where nobody else may: an instance that only reads from the cache. So the record, which all
/// instances read, is what says whether it `is_overdue`; most of them live for a shorter time.
pub fn ask_if_due(config: &Rc<Config>, is_overdue: bool) {
    let now = elapsed();
    let is_due = is_overdue || IS_SUSPECT.get();
    if is_due && TRIED_AT.get().is_none_or(|tried_at| now.saturating_sub(tried_at) >= RETRY_AFTER) {
        TRIED_AT.set(Some(now));
        renew_in_background(config);
    }
}

/// Takes from the rows of a write which run of PostgreSQL it was done in, their last column. If this instance has not heard of
/// that run, it asks before anybody can store what the write made: what the record knows of a run is newer than every copy of
/// the disk that was made before it ([`cache::database::lineage::compare`]).
pub async fn notice_run(config: &Rc<Config>, rows: &mut [Vec<Column>]) {
    let mut runs = rows.iter_mut().map(Vec::pop);
    let Some(Some(Column::Text(run))) = runs.next() else {
        return;
    };
    runs.for_each(drop);
    let is_known = LEASE.with_borrow(|lease| {
        let lineage = lease.as_ref().and_then(|lease| lease.state.lineage.as_ref());
        lineage.is_some_and(|seen| seen.run == run)
    });
    if !is_known && let Err(error) = ask(config).await {
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

/// Waits until the writes are over that are in progress now: then their rows are in the outbox.
///
/// # Errors
/// When they take longer than a write should, and when PostgreSQL does not answer.
pub async fn await_writes(config: &Config) -> Result<(), Error> {
    let began = elapsed();
    let mut awaited = in_progress(config).await?;
    while !awaited.is_empty() {
        if elapsed().saturating_sub(began) >= WRITES_PATIENCE {
            return Err(Error::Unavailable(format!("{} writes are still in progress in PostgreSQL", awaited.len())));
        }
        clock::sleep(PAUSE).await;
        let still = in_progress(config).await?;
        awaited.retain(|transaction| still.contains(transaction));
    }
    Ok(())
}

async fn in_progress(config: &Config) -> Result<HashSet<String>, Error> {
    let rows = call(config, "writes_in_progress", Vec::new()).await?;
    rows.iter().map(|row| Ok(RowReader::new(row).text()?.to_owned())).collect()
}
