//! A host that alone has lost Redis writes, and the others, which still have it, read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::client::Client;
use crate::cluster::{Cluster, HOSTS, Options};
use crate::history::{RECOVERY, brisk, tenants};
use crate::places::{Property, Tenant};
use crate::proxy::Mode;
use crate::random::seed;
use crate::report;
use crate::run::Run;

const ROUNDS: u64 = 8;
/// Of the trial with the record in PostgreSQL: the host is cut off in either way once.
const ROUNDS_IN_THE_DATABASE: u64 = 2;
/// So many that most stay cached through a round: what the probe of another host invalidates is only what was written.
const PROPERTIES: usize = 20;
/// Clients that read without a pause: some on the hosts that keep Redis, some on all.
const READERS: [&[usize]; 6] = [&[1], &[2], &[1, 2], &[0, 1, 2], &[0, 1, 2], &[0, 1]];
/// Clients that write through the host that is cut off, whenever it is.
const WRITERS: usize = 2;
/// How long a host is cut off: past the probes of the others, which let the cache in again and again.
const CUT: Duration = Duration::from_millis(2_600);
/// The host that is cut off.
const VICTIM: usize = 0;

/// The trial.
pub fn a_host_cut_from_redis_leaves_no_stale_reader() -> Result<()> {
    cut_off(brisk(), ROUNDS)
}

/// The trial with the breaker's record in PostgreSQL.
pub fn a_host_cut_from_redis_leaves_no_stale_reader_with_the_record_in_postgresql() -> Result<()> {
    let mut variables = brisk();
    variables.push(("breaker_store", "database".into()));
    cut_off(variables, ROUNDS_IN_THE_DATABASE)
}

fn cut_off(variables: Vec<(&'static str, String)>, rounds: u64) -> Result<()> {
    let cluster = Cluster::start(&Options { variables, ..Options::default() }, seed())?;
    let run = Run::new(Arc::clone(&cluster), tenants(1)?, seed());
    let tenant = &run.tenants[0];
    let mut writer = Client::new(&run, 100, &[VICTIM]);
    let mut properties = Vec::new();
    for _ in 0..PROPERTIES {
        let property = writer.create_property(tenant, true).context("a property")?;
        writer.create_payment(tenant, &property).context("a payment")?;
        properties.push(property);
    }
    // Statements that take a while are under way while the others let the cache in again.
    cluster.nodes[VICTIM].postgres.delay_answers((0, 60));
    let (is_cut, writes) = (AtomicBool::new(false), AtomicU64::new(0));
    let outcome: Result<()> = std::thread::scope(|scope| {
        for (number, nodes) in READERS.iter().enumerate() {
            let (run, properties) = (&run, &properties);
            scope.spawn(move || read_on(Client::new(run, number, nodes), tenant, properties));
        }
        for number in 0..WRITERS {
            let (run, properties, is_cut, writes) = (&run, &properties, &is_cut, &writes);
            let client = Client::new(run, READERS.len() + number, &[VICTIM]);
            scope.spawn(move || write_while_cut(client, tenant, properties, is_cut, writes));
        }
        let done = (0..rounds).try_for_each(|round| {
            await_hits(&run)?;
            let link = &cluster.nodes[VICTIM].redis;
            run.phase(format!("begins: round {round}"));
            link.set(if round % 2 == 0 { Mode::Cut } else { Mode::Stalled });
            // From the answer on everybody must see it; the readers do not stop to look.
            let answered = writer.put_property(Some(VICTIM), tenant, &properties[0]);
            is_cut.store(true, Ordering::SeqCst);
            std::thread::sleep(CUT);
            is_cut.store(false, Ordering::SeqCst);
            link.set(Mode::Open);
            run.phase(format!("is over: round {round}"));
            answered.map(drop).context("the write through the host that is cut off")
        });
        run.end();
        done
    });
    report::print(&run, &BTreeMap::new(), None);
    outcome?;
    report::ensure_clean(&run)?;
    let counts = &cluster.nodes[VICTIM].redis.counts;
    // One that was open, or one that was to be opened.
    let cut = counts.cut.load(Ordering::SeqCst) + counts.refused.load(Ordering::SeqCst);
    let stalled = counts.stalled.load(Ordering::SeqCst);
    let writes = writes.load(Ordering::SeqCst) + rounds;
    println!("  {rounds} rounds, {cut} connections cut, {stalled} commands held up, {writes} writes meanwhile");
    ensure!(cut > 0 && stalled > 0, "the host was never cut off");
    cluster.stop()
}

fn read_on(mut reader: Client, tenant: &Tenant, properties: &[Arc<Property>]) {
    while !reader.run.is_over() {
        let property = &properties[reader.random.index(properties.len())];
        match reader.random.below(8) {
            0 => reader.read_properties(tenant),
            _ => reader.read_one(tenant, &property.path(), &property.key),
        }
    }
}

fn write_while_cut(
    mut writer: Client,
    tenant: &Tenant,
    properties: &[Arc<Property>],
    is_cut: &AtomicBool,
    writes: &AtomicU64,
) {
    while !writer.run.is_over() {
        if !is_cut.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        }
        let property = &properties[writer.random.index(properties.len())];
        if writer.put_property(Some(VICTIM), tenant, property).is_some() {
            writes.fetch_add(1, Ordering::SeqCst);
        }
        std::thread::sleep(writer.random.millis(0..=300));
    }
}

/// Waits until the cache is in use on every host.
fn await_hits(run: &Run) -> Result<()> {
    let begun = Instant::now();
    let hits = || run.counters.hits.load(Ordering::SeqCst);
    let before = hits();
    while hits() < before + 50 * HOSTS as u64 {
        ensure!(begun.elapsed() < RECOVERY, "the cache was not used again");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
