//! Failovers under load: the master of a Redis as in production is killed, then one is stopped and goes on, then one is
//! demoted, while clients compare what they are told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use stack::Failover;

use crate::cluster::{Cluster, Options};
use crate::history::{brisk, furnish, settle, tenants, used_again, with_clients};
use crate::random::seed;
use crate::report;
use crate::run::Run;
use crate::servers;

const CLIENTS: usize = 8;
const WRITES_PERMILLE: u64 = 40;
const TENANTS: usize = 2;
/// Sentinel waits three seconds before it calls a master gone, and ten before it gives one that comes back its new role.
const PATIENCE: Duration = Duration::from_secs(60);

/// The trial.
pub fn a_failover_fails_no_request_and_serves_nothing_old() -> Result<()> {
    let seed = seed();
    let mut failover = Failover::start(&servers::scratch("failover")?)?;
    let options = Options { variables: brisk(), redis_port: Some(failover.port()), ..Options::default() };
    let cluster = Cluster::start(&options, seed)?;
    let run = Run::new(Arc::clone(&cluster), tenants(TENANTS)?, seed);
    furnish(&run)?;
    let failed_over = with_clients(&run, CLIENTS, WRITES_PERMILLE, || {
        used_again(&run)?;
        killed(&run, &mut failover)?;
        stopped(&run, &mut failover)?;
        ordered(&run, &mut failover)
    });
    let lost = failed_over.and_then(|()| settle(&run));
    report::print(&run, &BTreeMap::new(), lost.as_ref().ok().copied());
    ensure!(lost? == 0, "answered writes are not in the database");
    report::ensure_clean(&run)?;
    cluster.stop()
}

/// The first master is gone, and comes back as a replica.
fn killed(run: &Run, failover: &mut Failover) -> Result<()> {
    run.phase("begins: the master is killed");
    let begun = Instant::now();
    failover.redis(0).kill();
    recovered(run, failover, 1, "killed", begun)?;
    failover.redis(0).restart()?;
    until("the old master is a replica", || failover.is_replica(0))?;
    run.phase("is over: the old master is a replica");
    used_again(run)
}

/// The second master goes on while the first has taken its place again: for ten seconds both are masters.
fn stopped(run: &Run, failover: &mut Failover) -> Result<()> {
    run.phase("begins: the master is stopped");
    let begun = Instant::now();
    failover.redis(1).pause();
    recovered(run, failover, 0, "stopped", begun)?;
    failover.redis(1).resume();
    let info = failover.redis(1).info("replication")?;
    ensure!(info.contains("role:master"), "the stopped master came back as something else: {info}");
    run.phase("both are masters");
    until("the stopped master is a replica", || failover.is_replica(1))?;
    run.phase("is over: the stopped master is a replica");
    used_again(run)
}

/// As for maintenance: the first master becomes a replica while it is in use.
fn ordered(run: &Run, failover: &mut Failover) -> Result<()> {
    run.phase("begins: a failover is ordered");
    until("the order is taken", || failover.order().is_ok())?;
    recovered(run, failover, 1, "demoted", Instant::now())?;
    until("the old master is a replica", || failover.is_replica(0))?;
    run.phase("is over: the demoted master is a replica");
    used_again(run)
}

/// Waits until the other server is the master and the cache is used again, and tells when that was.
fn recovered(run: &Run, failover: &Failover, next: usize, what: &str, begun: Instant) -> Result<()> {
    until("the replica is the master", || failover.master().is_ok_and(|master| master == next))?;
    let promoted = begun.elapsed();
    run.phase("the replica is the master");
    used_again(run)?;
    let used = begun.elapsed();
    println!(
        "  master {what}: the address led to the other after {:.1} s, the cache was used after {:.1} s",
        promoted.as_secs_f64(),
        used.as_secs_f64()
    );
    Ok(())
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !is_so() {
        ensure!(begun.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
