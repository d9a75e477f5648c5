//! The history itself: clients, faults, and the comparison with the database at the end.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::faults::inflict_in_turn;
use stack::TokenRequest;

use crate::client::Client;
use crate::cluster::{Cluster, HOSTS, JWT_SECRET, Options};
use crate::faults::{Fault, REDIS_TIMEOUT_MS};
use crate::leftovers;
use crate::places::Tenant;
use crate::random::{Random, seed};
use crate::report;
use crate::run::Run;

/// How long, unless `RENTTRACKER_HISTORY_SECONDS` says otherwise.
const SECONDS: u64 = 60;
const CLIENTS: usize = 16;
const TENANTS: usize = 3;
/// Properties that are never deleted, and as many that come and go, for each landlord.
const LASTING: usize = 5;
/// Of a thousand requests so many are writes.
const WRITES_PERMILLE: u64 = 40;
/// How many hits show that the cache is used again.
const USED_AGAIN: u64 = 300;
/// A probe that died with its host holds the cache back for ten seconds, and each write that a busy machine kept from its fence for seven.
pub const RECOVERY: Duration = Duration::from_secs(90);
/// Less than this share of hits, in percent, and the run says nothing about the cache.
const FEWEST_HITS: u64 = 5;
/// With fewer answers under a read lease a run that has them says nothing about them. A slow machine has fewer than a fast one.
const FEWEST_LEASES: u64 = 100;

/// Landlords with tokens that outlast every run.
pub fn tenants(count: usize) -> Result<Vec<Tenant>> {
    let tenant = |number| {
        let id = format!("landlord-{number}");
        let token = stack::token(&TokenRequest {
            secret: JWT_SECRET,
            issuer: stack::ISSUER,
            audience: stack::AUDIENCE,
            tenant: &id,
            role: None,
            ttl_seconds: 86_400,
        })?;
        Ok(Tenant::new(id, token))
    };
    (0..count).map(tenant).collect()
}

/// The variables of hosts whose breaker tries again soon.
pub fn brisk() -> Vec<(&'static str, String)> {
    let store = std::env::var("RENTTRACKER_BREAKER_STORE").ok().map(|store| ("breaker_store", store));
    let mut variables = vec![
        ("redis_timeout_ms", REDIS_TIMEOUT_MS.to_string()),
        ("redis_connect_timeout_ms", "150".into()),
        ("breaker_reset_seconds", "1".into()),
        ("breaker_max_reset_seconds", "1".into()),
        // PostgreSQL is well all the time; only the machine is slow.
        ("database_timeout_ms", "4000".into()),
    ];
    variables.extend(store);
    variables
}

/// Gives each landlord properties and payments.
pub fn furnish(run: &Run) -> Result<()> {
    let mut client = Client::new(run, usize::MAX >> 1, &[0]);
    for tenant in &run.tenants {
        for number in 0..LASTING + 2 {
            let property = client.create_property(tenant, number < LASTING).context("a property")?;
            for _ in 0..2 {
                client.create_payment(tenant, &property).context("a payment")?;
            }
        }
    }
    Ok(())
}

/// The trial: see the module's text.
pub fn no_answer_is_older_than_what_was_answered_before() -> Result<()> {
    let run = check(brisk(), TENANTS)?;
    let share = report::share_of_hits(&run);
    ensure!(share >= FEWEST_HITS, "only {share} % of the reads were hits: the cache was hardly used");
    Ok(())
}

/// The same where instances answer again from what they got a moment ago. Of one landlord alone, so that it is asked for that soon.
pub fn no_answer_is_older_than_what_was_answered_before_with_read_leases() -> Result<()> {
    let run = check([brisk(), read_leases()].concat(), 1)?;
    let leases = run.counters.leases.load(Ordering::SeqCst);
    ensure!(leases >= FEWEST_LEASES, "only {leases} reads were answered under a read lease");
    Ok(())
}

/// The variables of hosts with the longest read leases.
pub fn read_leases() -> Vec<(&'static str, String)> {
    vec![("read_lease_ms", "50".into())]
}

/// A run with every fault, of so many landlords on hosts with these variables, in which nothing may be found.
fn check(variables: Vec<(&'static str, String)>, landlords: usize) -> Result<Run> {
    let seconds = std::env::var("RENTTRACKER_HISTORY_SECONDS").ok().and_then(|text| text.parse().ok());
    let duration = Duration::from_secs(seconds.unwrap_or(SECONDS));
    let seed = seed();
    let options = Options { variables, redis_noise: (3, 20), database_noise: (20, 30), ..Options::default() };
    let cluster = Cluster::start(&options, seed)?;
    let run = Run::new(Arc::clone(&cluster), tenants(landlords)?, seed);
    furnish(&run)?;
    let mut fired = BTreeMap::new();
    let inflicted = with_clients(&run, CLIENTS, WRITES_PERMILLE, || {
        used_again(&run)?;
        inflict_all(&run, duration, &mut fired)
    });
    let lost = inflicted.and_then(|()| settle(&run));
    report::print(&run, &fired, lost.as_ref().ok().copied());
    ensure!(lost? == 0, "answered writes are not in the database");
    report::ensure_clean(&run)?;
    let counted = |fault: &Fault| fired.get(fault).copied().unwrap_or_default();
    let missing: Vec<_> = Fault::ALL.iter().filter(|fault| counted(fault) == 0).map(|fault| fault.name()).collect();
    ensure!(missing.is_empty(), "faults that never happened: {missing:?}");
    cluster.stop()?;
    let unruly = leftovers::unruly_keys(&cluster.redis_url(), "RentTracker_")?;
    ensure!(unruly.is_empty(), "left in Redis: {unruly:#?}");
    Ok(run)
}

/// Lets clients do what they do while `work` runs.
pub fn with_clients<T>(run: &Run, count: usize, writes_permille: u64, work: impl FnOnce() -> T) -> T {
    let nodes: Vec<usize> = (0..HOSTS).collect();
    std::thread::scope(|scope| {
        for number in 0..count {
            let nodes = &nodes;
            scope.spawn(move || {
                let mut client = Client::new(run, number, nodes);
                while !run.is_over() {
                    client.step(writes_permille);
                }
            });
        }
        let result = work();
        run.end();
        result
    })
}

/// All faults, until the time is over and each has had its effect.
fn inflict_all(run: &Run, duration: Duration, fired: &mut BTreeMap<Fault, u64>) -> Result<()> {
    let is_over = || run.elapsed() >= duration;
    inflict_in_turn(Fault::ALL, &mut Random::new(!run.seed), is_over, fired, |fault, random| {
        run.phase(format!("begins: {}", fault.name()));
        let had_effect = fault.inflict(run, random).with_context(|| fault.name())?;
        run.phase(format!("is over: {}{}", fault.name(), if had_effect { "" } else { ", without effect" }));
        used_again(run)?;
        std::thread::sleep(random.millis(200..=1_500));
        Ok(had_effect)
    })
}

/// Waits until the cache is used again.
pub fn used_again(run: &Run) -> Result<()> {
    let hits = || run.counters.hits.load(Ordering::Relaxed);
    let (begun, enough) = (Instant::now(), hits() + USED_AGAIN);
    while hits() < enough {
        ensure!(begun.elapsed() < RECOVERY, "the cache was not used again within {} s", RECOVERY.as_secs());
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Compares with the database, and reads everything once more through every host. How many answered writes are lost.
pub fn settle(run: &Run) -> Result<u64> {
    // A statement whose client was killed may run on for as long as PostgreSQL lets it.
    std::thread::sleep(Duration::from_secs(2));
    for node in 0..HOSTS {
        let mut client = Client::new(run, 1_000 + node, &[node]);
        for tenant in &run.tenants {
            client.read_properties(tenant);
            for property in tenant.properties() {
                client.read_one(tenant, &property.path(), &property.key);
                client.read_payments(tenant, &property);
            }
        }
    }
    let rows = run.cluster.database.connect()?.query(
        "SELECT id::text, row_version FROM properties UNION ALL SELECT id::text, row_version FROM payments",
        &[],
    )?;
    let mut rows: HashMap<String, u64> =
        rows.iter().map(|row| (row.get(0), u64::try_from(row.get::<_, i64>(1)).unwrap_or_default())).collect();
    let mut lost = 0;
    for key in run.tenants.iter().flat_map(Tenant::all) {
        lost += key.settle(rows.remove(&key.id)).map_err(anyhow::Error::msg)?;
    }
    let (left, unknown) = (rows.len() as u64, run.unknown_creations());
    ensure!(left <= unknown, "{left} rows that nobody was told of, and {unknown} creations with an unknown outcome");
    Ok(lost)
}
