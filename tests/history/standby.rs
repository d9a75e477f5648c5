//! Writes that are over for their clients and not for PostgreSQL, for longer than any fence stands: their commits wait for a
//! synchronous standby that is not there, while others wait for rows that somebody keeps locked. The components reach
//! PostgreSQL through a pooler that drops their `statement_timeout`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cluster::{Cluster, Options};
use crate::history::{brisk, furnish, settle, tenants, used_again, with_clients};
use crate::key::Fault;
use crate::naive::naive_component;
use crate::random::seed;
use crate::report;
use crate::run::Run;
use crate::servers;

/// How long commits wait: as long as a fence stands (`FENCE_MS`), from the last write that went up before, and some.
const LOST: Duration = Duration::from_secs(27);
/// How long what has been stored meanwhile has to show that it is old.
const AFTERWARDS: Duration = Duration::from_secs(3);
const CLIENTS: usize = 12;
const WRITES_PERMILLE: u64 = 20;

/// The trial. The same goes to both builds, so that it is the database lease that makes the difference.
pub fn a_commit_that_outlives_its_fence_shows_nothing_old() -> Result<()> {
    let real = load(None)?;
    report::print(&real, &BTreeMap::new(), None);
    report::ensure_clean(&real)?;
    let manifest =
        servers::manifest_with("property-reads", &naive_component("property-reads", "without-database-lease")?)?;
    let naive = load(Some(manifest))?;
    let caught = [Fault::Stale, Fault::WentBack, Fault::Reordered].map(|fault| naive.found(fault)).iter().sum::<u64>();
    println!("\nwithout the database lease: {caught} old answers, the first of them\n{}", naive.told().concat());
    ensure!(caught > 0, "the build without the database lease passed");
    Ok(())
}

fn load(manifest: Option<PathBuf>) -> Result<Run> {
    let seed = seed();
    let options = Options { variables: brisk(), manifest, is_pooled: true, ..Options::default() };
    let cluster = Cluster::start(&options, seed)?;
    let run = Run::new(Arc::clone(&cluster), tenants(2)?, seed);
    furnish(&run)?;
    let inflicted: Result<()> = with_clients(&run, CLIENTS, WRITES_PERMILLE, || {
        used_again(&run)?;
        run.writes_may_be_unknown.store(true, Ordering::SeqCst);
        lose_the_standby(&run)?;
        std::thread::sleep(AFTERWARDS);
        Ok(())
    });
    inflicted?;
    if options.manifest.is_none() {
        ensure!(settle(&run)? == 0, "answered writes are not in the database");
    }
    cluster.stop()?;
    Ok(run)
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
