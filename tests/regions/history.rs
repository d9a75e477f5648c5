//! The history itself: clients in every region, faults in turn, and the comparison with the database at the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::faults::inflict_in_turn;
use harness::random::{Random, seed};
use stack::TokenRequest;

use crate::client::{Client, content};
use crate::faults::{Kind, used_again};
use crate::report;
use crate::run::{Run, Tenant};
use crate::stage::{JWT_SECRET, REGIONS, Stage};

/// How long, unless `RENTTRACKER_REGIONS_SECONDS` says otherwise.
const SECONDS: u64 = 150;
const TENANTS: usize = 2;
/// Of each landlord.
const PROPERTIES: usize = 6;
/// That read one region.
const READERS: usize = 2;
/// That hop to another region with every request.
const SESSIONS: usize = 4;
/// Of a thousand requests of a session so many are writes.
const WRITES_PERMILLE: u64 = 30;
/// Between two writes of a region's writer, in milliseconds.
const BETWEEN_WRITES: std::ops::RangeInclusive<u64> = 20..=160;
/// Less than this share of hits in a region, in percent, and the run says nothing about its cache.
const FEWEST_HITS: u64 = 5;

/// The variables of hosts whose breaker tries again soon.
pub fn brisk() -> Vec<(&'static str, String)> {
    vec![
        ("redis_timeout_ms", "100".into()),
        ("redis_connect_timeout_ms", "150".into()),
        ("breaker_reset_seconds", "1".into()),
        ("breaker_max_reset_seconds", "1".into()),
        // PostgreSQL is well most of the time; only the machine is slow.
        ("database_timeout_ms", "4000".into()),
    ]
}

/// The trial: see the module's text.
pub fn no_read_is_older_than_its_region_allows() -> Result<()> {
    let seconds = std::env::var("RENTTRACKER_REGIONS_SECONDS").ok().and_then(|text| text.parse().ok());
    let duration = Duration::from_secs(seconds.unwrap_or(SECONDS));
    let stage = Stage::start(&brisk(), None, seed())?;
    let run = begin(&stage)?;
    let mut fired = BTreeMap::new();
    let inflicted = with_clients(&run, || {
        for number in 0..REGIONS.len() {
            used_again(&run, number)?;
        }
        inflict_all(&run, duration, &mut fired)
    });
    let lost = inflicted.and_then(|()| settle(&run));
    report::print(&run, &fired, lost.as_ref().ok().copied());
    ensure!(lost? == 0, "answered writes are not in the database");
    report::ensure_clean(&run)?;
    let counted = |kind: &Kind| fired.get(kind).copied().unwrap_or_default();
    let missing: Vec<_> = Kind::ALL.iter().filter(|kind| counted(kind) == 0).map(|kind| kind.name()).collect();
    ensure!(missing.is_empty(), "faults that never happened: {missing:?}");
    for (number, name) in REGIONS.iter().enumerate() {
        let share = report::share_of_hits(&run, number);
        ensure!(share >= FEWEST_HITS, "only {share} % of the reads in {name} were hits: its cache was hardly used");
    }
    stage.stop()
}

/// A run whose landlords have properties.
pub fn begin(stage: &Arc<Stage>) -> Result<Run> {
    let mut run = Run::new(Arc::clone(stage), Vec::new(), seed());
    let mut tenants = Vec::new();
    for number in 0..TENANTS {
        let token = stack::token(&TokenRequest {
            secret: JWT_SECRET,
            issuer: stack::ISSUER,
            audience: stack::AUDIENCE,
            tenant: &format!("landlord-{number}"),
            role: None,
            ttl_seconds: 86_400,
        })?;
        let mut client = Client::new(&run, usize::MAX >> 1);
        let mut properties = Vec::new();
        for index in 0..PROPERTIES {
            let index = number * PROPERTIES + index;
            let property = client.create(index % REGIONS.len(), &token, index);
            properties.push(property.with_context(|| format!("a property: {:?}", run.told()))?);
        }
        tenants.push(Tenant { token, properties });
    }
    run.tenants = tenants;
    Ok(run)
}

/// Lets clients do what they do while `work` runs.
pub fn with_clients<T>(run: &Run, work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        for region in 0..REGIONS.len() {
            for number in 0..READERS {
                scope.spawn(move || read_on(Client::new(run, region * READERS + number), region));
            }
            scope.spawn(move || write_on(Client::new(run, 100 + region), region));
        }
        for number in 0..SESSIONS {
            let client = Client::with_session(run, 200 + number, number % TENANTS);
            scope.spawn(move || hop_on(client, number % REGIONS.len()));
        }
        let result = work();
        run.end();
        result
    })
}

fn read_on(mut client: Client, region: usize) {
    while !client.run.is_over() {
        client.read(region);
    }
}

fn write_on(mut client: Client, region: usize) {
    while !client.run.is_over() {
        client.write(region);
        std::thread::sleep(client.random.millis(BETWEEN_WRITES));
    }
}

fn hop_on(mut client: Client, mut region: usize) {
    while !client.run.is_over() {
        region = (region + 1 + client.random.index(REGIONS.len() - 1)) % REGIONS.len();
        if client.random.permille(WRITES_PERMILLE) {
            client.write(region);
        } else {
            client.read(region);
        }
    }
}

/// All faults, each time in another region, until the time is over and each has had its effect.
fn inflict_all(run: &Run, duration: Duration, fired: &mut BTreeMap<Kind, u64>) -> Result<()> {
    let is_over = || run.elapsed() >= duration;
    inflict_in_turn(Kind::ALL, &mut Random::new(!run.seed), is_over, fired, |kind, random| {
        let region = random.index(REGIONS.len());
        run.begins(kind, region);
        let had_effect = kind.inflict(run, region, random).with_context(|| kind.name())?;
        run.note(format!("is over{}", if had_effect { "" } else { ", without effect" }));
        used_again(run, region)?;
        std::thread::sleep(random.millis(200..=1_000));
        Ok(had_effect)
    })
}

/// Compares with the database: how many answered writes are lost.
fn settle(run: &Run) -> Result<u64> {
    // A statement whose client was killed may run on for as long as PostgreSQL lets it.
    std::thread::sleep(Duration::from_secs(2));
    let mut lost = 0;
    let mut client = run.stage.connect()?;
    for property in run.tenants.iter().flat_map(|tenant| &tenant.properties) {
        let statement = "SELECT row_version, address FROM properties WHERE id = $1::text::uuid";
        let row = client.query_one(statement, &[&property.id]).context("a property is gone")?;
        let content = content(row.get(1)).context("an address that nobody wrote")?;
        lost += property.known().key.settle(u64::try_from(row.get::<_, i64>(0))?, content);
    }
    Ok(lost)
}
