//! A host that alone has lost Redis writes, and the others, which still have it, read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::client::Client;
use crate::cluster::{Cluster, Options};
use crate::history::{brisk, tenants};
use crate::proxy::Mode;
use crate::random::seed;
use crate::report;
use crate::run::Run;

const ROUNDS: u64 = 8;
/// Clients that read on the two other hosts without a pause.
const READERS: usize = 6;
/// How long the round goes on after the write: past the probe that lets the cache in again.
const AFTERMATH: Duration = Duration::from_millis(1_800);

/// The trial.
pub fn a_host_cut_from_redis_leaves_no_stale_reader() -> Result<()> {
    let options = Options { variables: brisk(), ..Options::default() };
    let cluster = Cluster::start(&options, seed())?;
    let run = Run::new(Arc::clone(&cluster), tenants(1)?, seed());
    let tenant = &run.tenants[0];
    let mut writer = Client::new(&run, 100, &[0]);
    let property = writer.create_property(tenant, true).context("a property")?;
    writer.create_payment(tenant, &property).context("a payment")?;
    let (cold_rounds, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let outcome: Result<()> = std::thread::scope(|scope| {
        for number in 0..READERS {
            let (run, property, is_over) = (&run, &property, &is_over);
            scope.spawn(move || {
                let mut reader = Client::new(run, number, &[1 + number % 2]);
                while !is_over.load(Ordering::SeqCst) {
                    reader.read_one(tenant, &property.path(), &property.key);
                    reader.read_properties(tenant);
                }
            });
        }
        let rounds = (0..ROUNDS).try_for_each(|round| {
            if !await_hits(&run) {
                cold_rounds.fetch_add(1, Ordering::SeqCst);
            }
            let link = &cluster.nodes[0].redis;
            run.phase(format!("round {round}"));
            link.set(if round % 2 == 0 { Mode::Cut } else { Mode::Stalled });
            let before = property.key.floor().answered;
            let version = writer.put_property(Some(0), tenant, &property).context("the write through the cut host")?;
            ensure!(version > before, "the write did not change anything");
            // The readers go on: whatever they start from now on must be new. A second write comes when the cache is let in
            // again.
            std::thread::sleep(AFTERMATH / 2);
            writer.put_property(Some(0), tenant, &property).context("the second write")?;
            std::thread::sleep(AFTERMATH / 2);
            link.set(Mode::Open);
            Ok(())
        });
        is_over.store(true, Ordering::SeqCst);
        rounds
    });
    report::print(&run, &BTreeMap::new(), None);
    outcome?;
    report::ensure_clean(&run)?;
    ensure!(cold_rounds.load(Ordering::SeqCst) == 0, "the others did not use the cache before the cut");
    let links = cluster.nodes[0].redis.counts.cut.load(Ordering::SeqCst)
        + cluster.nodes[0].redis.counts.stalled.load(Ordering::SeqCst);
    ensure!(links > 0, "the host was never cut off");
    cluster.stop()
}

/// Whether the readers find the cache in use.
fn await_hits(run: &Run) -> bool {
    let begun = Instant::now();
    let hits = || run.counters.hits.load(Ordering::SeqCst);
    let before = hits();
    while hits() < before + 50 {
        if begun.elapsed() > Duration::from_secs(30) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
