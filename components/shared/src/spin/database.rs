//! Asking PostgreSQL what [`crate::database`] is about.

use super::clock::{self, elapsed};
use super::postgres::call;
use crate::breaker::Worth;
use crate::config::Config;
use crate::database::{DOUBT_AFTER, DatabaseLease, DatabaseState};
use crate::domain::TenantId;
use crate::error::Error;
use crate::log::{self, Level};
use crate::row::{Parameter, RowReader};
use async_lock::Mutex;
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

thread_local! {
    static LEASE: RefCell<Option<Rc<DatabaseLease>>> = const { RefCell::new(None) };
    static IS_RENEWING: Cell<bool> = const { Cell::new(false) };
    /// Who asks; the others wait for what is answered.
    static ASKING: Arc<Mutex<()>> = Arc::new(Mutex::new(()));
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
    let asking = ASKING.with(Arc::clone);
    let _turn = asking.lock().await;
    match held(config) {
        Some(lease) => Ok(lease),
        None => ask(config).await,
    }
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
    match lease.worth(elapsed()) {
        Worth::Lapsed => return None,
        Worth::RenewSoon => renew_in_background(config),
        Worth::Valid => {}
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
    let state = DatabaseState {
        clock_ms: row.integer()?,
        statement_timeout_ms: row.integer()?,
        in_doubt: row.texts()?.to_vec(),
    };
    let lease = Rc::new(DatabaseLease::new(state, asked_at, elapsed()));
    let before = LEASE.replace(Some(Rc::clone(&lease)));
    compare(before.as_deref(), &lease.state);
    Ok(lease)
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
