//! The log of regions at a steady rate of writes: how large its table becomes, and how long a reading takes. The statements are those of
//! hosts, sent to PostgreSQL itself: what is measured is the table.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use postgres::{Client, NoTls};
use serde_json::json;
use uuid::Uuid;

use super::Size;
use crate::measure::{Spread, millis};
use crate::report::{Report, Section, Target};
use crate::seed;
use crate::stage::Stage;

const TENANT: &str = "log-0";
/// Those of the benchmark's rate: 1,000 a second altogether.
const WRITERS: u32 = 4;
const WRITES_A_SECOND: u32 = 1_000;
const REGIONS: [&str; 3] = ["eu", "us", "ap"];
/// How often a region reads at the default `region_staleness_ms`, and how many rows at once.
const READ_EVERY: Duration = Duration::from_millis(250);
const PAGE: i64 = 500;
/// The table has at its largest what autovacuum, once a minute, has not cleared away yet. 60,000 rows with three indexes are some 25 MB.
const MOST_MEGABYTES: f64 = 64.0;

/// The first page names no row; `known` is what was read before.
const READ: &str = "SELECT lineage, snapshot, xid, tenant_id, id FROM \
    read_log('log_', $1, $2, $3, $4, $5, $6, $7, $8)";

/// Measures.
pub fn measure(stage: &Stage, size: &Size, report: &mut Report) -> Result<()> {
    let url = stage.database("log")?;
    let mut client = Client::connect(&url, NoTls)?;
    seed::properties(&mut client, "log-", 1, i64::from(WRITERS) * 50, 500)?;
    let ids = seed::ids(&mut client, TENANT)?;
    // As in every deployment of several regions. It asks the primary to keep what its own statements still see.
    let _standby = stage.region("log-standby")?;

    // What commits from now on is kept for them.
    let registered = "SELECT register_region('log_', $1)";
    let generations: Vec<i64> =
        REGIONS.iter().map(|region| Ok(client.query_one(registered, &[region])?.get(0))).collect::<Result<_>>()?;

    let is_over = AtomicBool::new(false);
    let written = Mutex::new(HashSet::new());
    let (sizes, readings) = std::thread::scope(|scope| {
        let (url, is_over) = (&url, &is_over);
        let follow = |(region, generation)| scope.spawn(move || follow(url, region, generation, is_over));
        let readers: Vec<_> = REGIONS.into_iter().zip(generations).map(follow).collect();
        let sampler = scope.spawn(|| sample(url, is_over));
        let each = ids.chunks(ids.len() / WRITERS as usize);
        let writers: Vec<_> = each.map(|ids| scope.spawn(|| write(url, ids, size.log, &written))).collect();
        let wrote: Result<Vec<()>> = writers.into_iter().map(|writer| writer.join().expect("no panic")).collect();
        is_over.store(true, Ordering::Relaxed);
        let readings: Result<Vec<_>> = readers.into_iter().map(|reader| reader.join().expect("no panic")).collect();
        let sizes = sampler.join().expect("no panic");
        wrote.and(Ok((sizes?, readings?)))
    })?;

    let written = written.into_inner().expect("no panic");
    let mut rows = Vec::new();
    for (region, (seen, took)) in REGIONS.iter().zip(&readings) {
        ensure!(*seen == written, "{region} has read {} of {} writes", seen.len(), written.len());
        let at = |quantile| format!("{:.2}", millis(took.value_at_quantile(quantile)));
        rows.push(vec![
            (*region).into(),
            took.len().to_string(),
            at(0.5),
            at(0.99),
            format!("{:.2}", millis(took.max())),
        ]);
    }
    let header = ["region", "readings", "p50 (ms)", "p99 (ms)", "longest (ms)"].map(str::to_owned).to_vec();
    let mut section = Section::new("The log at 1,000 writes a second", header, rows);
    let largest = |sizes: &[f64]| Spread::of([sizes.iter().copied().fold(0.0, f64::max)]);
    let (early, late) = sizes.split_at(sizes.len() / 2);
    section.note(format!(
        "{} writes in {} s; each region has read every one. The table with its indexes: at its largest {:.1} MB, in the first \
         half {:.1} MB, in the second {:.1} MB.",
        written.len(),
        size.log.as_secs(),
        largest(&sizes).median,
        largest(early).median,
        largest(late).median,
    ));
    section.data(json!({ "writes": written.len(), "megabytes": sizes }));
    report.section(section);
    report.target(Target::at_most(
        "the log with its indexes at 1,000 writes a second, MB",
        MOST_MEGABYTES,
        largest(&sizes),
    ));
    Ok(())
}

/// Writes its share of the rate for this long; what it wrote.
fn write(url: &str, ids: &[String], duration: Duration, written: &Mutex<HashSet<String>>) -> Result<()> {
    let mut client = Client::connect(url, NoTls)?;
    let statement = client.prepare(
        "SELECT r.found_version FROM begin_write($1, 9999999999999) AS tenant CROSS JOIN LATERAL \
         replace_property(tenant, $2::text::uuid, $3::text::uuid, $4, '', '', '', '', 1, now(), now(), '', '', NULL) AS r",
    )?;
    let (began, pause) = (Instant::now(), Duration::from_secs(1) * WRITERS / WRITES_A_SECOND);
    for turn in 0.. {
        let due = pause * turn;
        if due >= duration {
            break;
        }
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        let (id, property) = (Uuid::new_v4().to_string(), &ids[turn as usize % ids.len()]);
        client.query_one(&statement, &[&TENANT, property, &id, &format!("{turn} Main St")])?;
        written.lock().expect("no panic").insert(id);
    }
    Ok(())
}

/// Reads the log as a region does, to its end; the writes that it saw, and how long each page took, in microseconds.
fn follow(url: &str, region: &str, generation: i64, is_over: &AtomicBool) -> Result<(HashSet<String>, Histogram<u64>)> {
    let mut client = Client::connect(url, NoTls)?;
    let statement = client.prepare(READ)?;
    let (mut seen, mut took) = (HashSet::new(), Histogram::new(3)?);
    let mut known: Option<(String, String)> = None;
    loop {
        // The last reading begins after the last write.
        let is_last = is_over.load(Ordering::Relaxed);
        let (mut first, mut behind) = (None, None::<(String, String, String)>);
        loop {
            let (lineage, snapshot) = known.as_ref().map(|(lineage, snapshot)| (lineage, snapshot)).unzip();
            let (xid, tenant, id) = match &behind {
                Some((xid, tenant, id)) => (Some(xid), Some(tenant), Some(id)),
                None => (None, None, None),
            };
            let began = Instant::now();
            let rows =
                client.query(&statement, &[&region, &generation, &lineage, &snapshot, &xid, &tenant, &id, &PAGE])?;
            took.record(u64::try_from(began.elapsed().as_micros())?)?;
            let head = rows.first().context("the region is not registered any more")?;
            first.get_or_insert((head.get(0), head.get(1)));
            let is_full = rows.len() as i64 == PAGE;
            for row in rows {
                if let Some(id) = row.get::<_, Option<String>>(4) {
                    behind = Some((row.get(2), row.get(3), id.clone()));
                    seen.insert(id);
                }
            }
            if !is_full {
                break;
            }
        }
        known = first;
        if is_last {
            return Ok((seen, took));
        }
        std::thread::sleep(READ_EVERY);
    }
}

/// The size of the table with its indexes, each second, in megabytes.
fn sample(url: &str, is_over: &AtomicBool) -> Result<Vec<f64>> {
    let mut client = Client::connect(url, NoTls)?;
    let mut sizes = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let row = client.query_one("SELECT pg_total_relation_size('cache_invalidations')::float8 / 1048576", &[])?;
        sizes.push(row.get(0));
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(sizes)
}
