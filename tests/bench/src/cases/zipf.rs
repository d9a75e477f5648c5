//! What landlords do: a few properties are asked for often and most seldom (Zipf, s = 1), and one request of twenty is a
//! write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use http::{HeaderValue, Method};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Zipf};
use serde_json::json;

use super::Size;
use crate::counters::{ALL, work};
use crate::load::{Answered, Ask, Kind, Limit, Next, run};
use crate::measure::{Spread, generator_share, histogram, millis};
use crate::report::{Report, Section, Target, plots};
use crate::seed;
use crate::stage::Stage;

const PROPERTIES: usize = 10_000;
/// Twenty properties each.
const LANDLORDS: usize = 500;
const CLIENTS: usize = 16;
/// Of a hundred requests so many are reads, and of a hundred reads so many are of a list.
const READS_PERCENT: u32 = 95;
const LISTS_PERCENT: u32 = 25;
/// The same requests in every run.
const SEED: u64 = 6;

/// The n-th request: a property by Zipf; its landlord reads it or the first page of the list, or writes it or a payment.
fn requests(authorizations: Vec<HeaderValue>, ids: Vec<String>, method: String, phase: u64) -> Next {
    let zipf = Zipf::new(PROPERTIES as f64, 1.0).unwrap_or_else(|error| unreachable!("10,000 and 1 are fine: {error}"));
    let count = AtomicU64::new(0);
    Arc::new(move |_, _| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let mut random = StdRng::seed_from_u64(SEED ^ (phase << 60) ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let rank = zipf.sample(&mut random) as usize - 1;
        let authorization = authorizations[rank % LANDLORDS].clone();
        let id = &ids[rank];
        let (method, target, body) = if random.random_ratio(READS_PERCENT, 100) {
            let is_list = random.random_ratio(LISTS_PERCENT, 100);
            let target =
                if is_list { "/api/properties?pageSize=50".to_owned() } else { format!("/api/properties/{id}") };
            (Method::GET, target, String::new())
        } else if random.random_ratio(1, 2) {
            let body = format!(r#"{{"address":"{number} Written Street","weeklyRentAmount":512.5}}"#);
            (Method::PUT, format!("/api/properties/{id}"), body)
        } else {
            let body = format!(r#"{{"amount":512.5,"paymentDate":"2025-03-01","paymentMethodId":"{method}"}}"#);
            (Method::POST, format!("/api/properties/{id}/payments"), body)
        };
        Ask { method, target, authorization, body: body.into() }
    })
}

/// Measures.
pub fn measure(stage: &Stage, size: &Size, report: &mut Report) -> Result<()> {
    let api = stage.api("zipf", &stage.database("zipf")?, &[])?;
    let mut client = api.sql()?;
    seed::properties(&mut client, "lord-", i64::try_from(LANDLORDS)?, i64::try_from(PROPERTIES)?, 500)?;
    seed::settle(&mut client)?;
    let tenant = |number: usize| format!("lord-{number}");
    let authorizations =
        (0..LANDLORDS).map(|number| stage.bearer(&tenant(number), None)).collect::<Result<Vec<_>>>()?;
    // In order of number, so that the property of each rank is its landlord's.
    let rows = client.query(
        "SELECT md5('lord-' || n)::uuid::text FROM generate_series(0, $1::bigint - 1) n",
        &[&i64::try_from(PROPERTIES)?],
    )?;
    let ids: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let method: String = client
        .query_one("SELECT id::text FROM payment_methods WHERE tenant_id = '~system' AND name = 'Cash'", &[])?
        .get(0);

    let cache = stage.cache()?;
    let (memory, keys) = (cache.memory()?, cache.keys()?);
    let load = |phase| requests(authorizations.clone(), ids.clone(), method.clone(), phase);
    run(api.address()?, CLIENTS, Limit::Requests(size.zipf), load(0))?;
    let (commands, database) = (cache.commands()?, work(&mut client, ALL)?);
    let outcome = run(api.address()?, CLIENTS, Limit::Requests(size.zipf), load(1))?;
    let database = work(&mut client, ALL)?.since(database);
    let commands_now = cache.commands()?;
    let since = |name: &str| commands_now.get(name).copied().unwrap_or(0) - commands.get(name).copied().unwrap_or(0);
    let round_trips: u64 = ["get", "hget", "eval", "evalsha"].into_iter().map(since).sum();
    let all: u64 = commands_now.keys().map(|name| since(name)).sum();
    let (memory, keys) = (cache.memory()?.saturating_sub(memory), cache.keys()?.saturating_sub(keys));

    let answered = &outcome.answered;
    let of = |select: &dyn Fn(&Answered) -> bool| answered.iter().filter(|it| select(it)).copied().collect::<Vec<_>>();
    let hit_ratio =
        |reads: &[Answered]| reads.iter().filter(|it| it.kind == Kind::Hit).count() as f64 / reads.len().max(1) as f64;
    for (name, target, reads) in [
        ("lists", 0.80, of(&|it| !it.is_write && it.is_list)),
        ("single properties", 0.90, of(&|it| !it.is_write && !it.is_list)),
        ("all reads", 0.85, of(&|it| !it.is_write)),
    ] {
        let ratio = hit_ratio(&reads);
        report.target(Target::above(&format!("Zipf: hit ratio of {name}"), target, Spread::of([ratio])));
    }
    let groups = [
        ("hit", 10.0, of(&|it| it.kind == Kind::Hit)),
        ("miss", 100.0, of(&|it| it.kind == Kind::Miss)),
        ("write", 150.0, of(&|it| it.is_write)),
    ];
    let (mut rows, mut data, mut plotted) = (Vec::new(), Vec::new(), Vec::new());
    for (name, target, answered) in groups {
        let latencies = histogram(&answered)?;
        let [p50, p95, p99, slowest] = [0.5, 0.95, 0.99, 1.0].map(|p| millis(latencies.value_at_quantile(p)));
        report.target(Target::below(&format!("Zipf: p95 of a {name}, in ms"), target, Spread::of([p95])));
        rows.push(vec![
            name.to_owned(),
            answered.len().to_string(),
            format!("{p50:.2}"),
            format!("{p95:.2}"),
            format!("{p99:.2}"),
            format!("{slowest:.2}"),
        ]);
        data.push(json!({ "name": name, "count": answered.len(), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99 }));
        plotted.push((name.to_owned(), latencies));
    }
    let header = ["result", "requests", "p50 (ms)", "p95 (ms)", "p99 (ms)", "slowest (ms)"].map(str::to_owned);
    let mut section =
        Section::new("Zipf workload: 10,000 properties of 500 landlords, 95 % reads", header.to_vec(), rows);
    let each = |count: f64| count / answered.len() as f64;
    section.note(format!(
        "A request costs Redis {:.2} round trips ({:.2} commands with those inside scripts) and PostgreSQL {:.3} statements; \
         {keys} keys take {:.1} MB; {:.0} requests a second; the load generator took {:.0} % of the machine. A quarter of the \
         reads is of a list. The cache was warmed by as many requests before.",
        each(round_trips as f64),
        each(all as f64),
        each(database.calls),
        memory as f64 / 1e6,
        answered.len() as f64 / outcome.elapsed.as_secs_f64(),
        100.0 * generator_share(&outcome)
    ));
    section.data(json!({
        "by_result": data, "redis_round_trips_per_request": each(round_trips as f64),
        "redis_commands_per_request": each(all as f64), "statements_per_request": each(database.calls),
        "redis_bytes": memory, "redis_keys": keys,
    }));
    section.plot(plots::distributions("Zipf: latency by result", &plotted)?);
    report.section(section);
    Ok(())
}
