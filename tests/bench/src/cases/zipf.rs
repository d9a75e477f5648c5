//! What landlords do, on ten thousand properties: `workload.rs` says what that is.

use anyhow::Result;

use super::Size;
use crate::counters::{ALL, work};
use crate::load::{Limit, run};
use crate::measure::{Spread, generator_share};
use crate::report::{Report, Target};
use crate::results;
use crate::seed;
use crate::stage::{Api, READ_LEASE_MS, Stage};
use crate::workload::{Property, Workload};

const PROPERTIES: usize = 10_000;
/// Twenty properties each.
const LANDLORDS: usize = 500;
const CLIENTS: usize = 16;
const READ_SHARE: f64 = 0.95;
const EXPONENT: f64 = 1.0;
/// The same requests in every run: one number for those that warm the cache, one for those that are measured.
const SEEDS: [u64; 2] = [6, 7];

/// Measures, and once more with read leases.
pub fn measure(stage: &Stage, size: &Size, report: &mut Report) -> Result<()> {
    let api = stage.api("zipf", &stage.database("zipf")?, &[])?;
    let without = measure_at(stage, &api, "Zipf", size, report)?;
    let api = stage.api_with_read_leases("zipf-leased", &stage.database("zipf_leased")?)?;
    let with = measure_at(stage, &api, &format!("Zipf with read leases of {READ_LEASE_MS} ms"), size, report)?;
    let ratio = Spread::of([with / without]);
    report.target(Target::at_most("Zipf with read leases ÷ without, commands of Redis a request", 0.6, ratio));
    Ok(())
}

/// Measures this host: how many commands of Redis a request has, those inside scripts not counted.
fn measure_at(stage: &Stage, api: &Api, name: &str, size: &Size, report: &mut Report) -> Result<f64> {
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
    let payment_method: String = client
        .query_one("SELECT id::text FROM payment_methods WHERE tenant_id = '~system' AND name = 'Cash'", &[])?
        .get(0);

    let property = |(rank, row): (usize, &postgres::Row)| Property {
        authorization: authorizations[rank % LANDLORDS].clone(),
        id: row.get(0),
        payment_method: Some(payment_method.clone()),
    };
    let properties: Vec<Property> = rows.iter().enumerate().map(property).collect();
    let load = |seed| {
        let (properties, street) = (properties.clone(), "Written Street".to_owned());
        Workload { properties, read_share: READ_SHARE, exponent: EXPONENT, street, seed }.requests()
    };

    let cache = stage.cache()?;
    let (memory, keys) = (cache.memory()?, cache.keys()?);
    run(api.address()?, CLIENTS, Limit::Requests(size.zipf), load(SEEDS[0])?)?;
    let (commands, database) = (cache.commands()?, work(&mut client, ALL)?);
    let outcome = run(api.address()?, CLIENTS, Limit::Requests(size.zipf), load(SEEDS[1])?)?;
    let database = work(&mut client, ALL)?.since(database);
    let commands_now = cache.commands()?;
    let since = |name: &str| commands_now.get(name).copied().unwrap_or(0) - commands.get(name).copied().unwrap_or(0);
    let round_trips: u64 = ["getrange", "hget", "eval", "evalsha"].into_iter().map(since).sum();
    let all: u64 = commands_now.keys().map(|name| since(name)).sum();
    let (memory, keys) = (cache.memory()?.saturating_sub(memory), cache.keys()?.saturating_sub(keys));

    let answered = &outcome.answered;
    let title = format!("{name}: 10,000 properties of 500 landlords, 95 % reads");
    let mut section = results::by_result(report, name, &title, answered)?;
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
    section.add("redis_round_trips_per_request", each(round_trips as f64));
    section.add("redis_commands_per_request", each(all as f64));
    section.add("statements_per_request", each(database.calls));
    section.add("redis_bytes", memory);
    section.add("redis_keys", keys);
    report.section(section);
    Ok(each(round_trips as f64))
}
