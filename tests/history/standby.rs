//! Writes that are over for their clients and not for PostgreSQL, for longer than any fence stands: their commits wait for a
//! synchronous standby that is not there, while others wait for rows that somebody keeps locked. The components reach
//! PostgreSQL through a pooler that drops their `statement_timeout`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cluster::{Cluster, Options};
use crate::history::{brisk, furnish, settle, tenants, used_again, with_clients};
use crate::random::seed;
use crate::report;
use crate::run::Run;

/// How long commits wait: as long as a fence stands (`FENCE_MS`), from the last write that went up before, and some.
const LOST: Duration = Duration::from_secs(27);
/// How long what has been stored meanwhile has to show that it is old.
const AFTERWARDS: Duration = Duration::from_secs(3);
const CLIENTS: usize = 12;
const WRITES_PERMILLE: u64 = 20;

/// The trial.
pub fn a_commit_that_outlives_its_fence_shows_nothing_old() -> Result<()> {
    let seed = seed();
    let cluster = Cluster::start(&Options { variables: brisk(), is_pooled: true, ..Options::default() }, seed)?;
    let run = Run::new(Arc::clone(&cluster), tenants(2)?, seed);
    furnish(&run)?;
    let inflicted: Result<()> = with_clients(&run, CLIENTS, WRITES_PERMILLE, || {
        used_again(&run)?;
        run.writes_may_be_unknown.store(true, Ordering::SeqCst);
        lose_the_standby(&run)?;
        std::thread::sleep(AFTERWARDS);
        Ok(())
    });
    let lost = inflicted.and_then(|()| settle(&run));
    report::print(&run, &BTreeMap::new(), lost.as_ref().ok().copied());
    ensure!(lost? == 0, "answered writes are not in the database");
    report::ensure_clean(&run)?;
    cluster.stop()
}

fn lose_the_standby(run: &Run) -> Result<()> {
    let mut database = run.cluster.database.connect()?;
    let locked = run.tenants[0].properties().first().context("a property")?.key.id.clone();
    let mut locking = run.cluster.database.connect()?;
    let mut lock = locking.transaction()?;
    lock.execute("SELECT FROM properties WHERE id = $1::text::uuid FOR UPDATE", &[&locked])?;
    let unknown = || run.counters.unknown.load(Ordering::SeqCst);
    let before = unknown();
    run.phase("begins: the standby is lost, and a row is locked");
    database.batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (ghost)'")?;
    database.batch_execute("SELECT pg_reload_conf()")?;
    std::thread::sleep(LOST);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()";
    let waiting: i64 = database.query_one(waiting, &[])?.get(0);
    database.batch_execute("ALTER SYSTEM RESET synchronous_standby_names")?;
    database.batch_execute("SELECT pg_reload_conf()")?;
    lock.rollback()?;
    run.phase(format!("is over: the standby returns to {waiting} commits"));
    ensure!(waiting > 0 && unknown() > before, "no commit waited for the standby");
    Ok(())
}
