//! A region of several beside an API alone: hits, writes, and behind a link of 80 ms to the primary hits and misses.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::proxy::Network;
use http::Method;
use stack::session_key;
use url::Url;

use super::{Size, always, in_turn};
use crate::counters::Cache;
use crate::load::{self, Ask, Kind, Limit, Next};
use crate::measure::{Subject, alternate};
use crate::report::{Report, Section, Target};
use crate::seed;
use crate::stage::{Api, Stage};

const CLIENTS: usize = 16;
const TENANT: &str = "region-0";
/// Those whose rows are written by turns. One client writes more often than a landlord does: the fences of its last quarter of a second
/// would all stand over one list.
const WRITERS: i64 = 100;
/// What an answer of the primary takes longer on its way across an ocean, in milliseconds.
const OCEAN_MS: u64 = 80;

/// Measures.
pub fn measure(stage: &Stage, size: &Size, report: &mut Report) -> Result<()> {
    let (own, shared) = (stage.database("alone")?, stage.database("regions")?);
    let alone = stage.api("alone", &own, &[])?;
    let rows = i64::try_from(size.requests)? + 2;
    for url in [&own, &shared] {
        let mut client = postgres::Client::connect(url, postgres::NoTls)?;
        seed::properties(&mut client, "region-", 1, rows, 500)?;
        seed::properties(&mut client, "writer-", WRITERS, WRITERS, 500)?;
        seed::settle(&mut client)?;
    }
    let ids = seed::ids(&mut alone.sql()?, TENANT)?;
    let [read, written, cold @ ..] = &ids[..] else { anyhow::bail!("there are two properties") };
    let (network, key) = (Network::start()?, session_key()?);
    let link = network.link(stage.postgres_port(), (0, 0), 1)?;
    link.delay_answers((OCEAN_MS, OCEAN_MS));
    let [near, far] = [stage.region("near")?, stage.region("far")?];
    let beside = stage.api_in_region(&near, &shared, &key)?;
    let across = stage.api_in_region(&far, &through(&shared, link.port())?, &key)?;

    let ask = |id: &String| stage.get(TENANT, &format!("/api/properties/{id}"));
    let read = ask(read)?;
    let limit = Limit::For(size.round);
    let subject = |name: &str, api: &Api, clients, limit, next: Next, kind| -> Result<Subject> {
        let subject = Subject::new(name, (api.address()?, api.host.pid()), clients, limit, next);
        Ok(Subject { must_be: kind, ..subject })
    };
    let hit = |name: &str, api: &Api| {
        let (address, asked) = (api.address()?, read.clone());
        // While another was measured nobody read the log.
        let wake: Box<dyn Fn() -> Result<()>> = Box::new(move || await_hit(address, &asked));
        let subject = subject(name, api, CLIENTS, limit, always(read.clone()), Some(Kind::Hit))?;
        Ok::<_, anyhow::Error>(Subject { prepare: Some(wake), ..subject })
    };
    let hits = vec![hit("alone", &alone)?, hit("a region", &beside)?, hit("a region 80 ms from the primary", &across)?];
    let series = alternate(size.rounds, hits)?;
    report.section(Section::of_series("Hits in a region, sixteen clients", &series));
    let [of_alone, of_beside, of_across] = &series[..] else { anyhow::bail!("a subject is missing") };
    let ratio = of_beside.throughput_ratio(of_alone);
    report.target(Target::at_least("a hit in a region ÷ alone, throughput at 16 clients", 0.97, ratio));
    let ratio = of_across.throughput_ratio(of_beside);
    report.target(Target::at_least("a hit 80 ms from the primary ÷ beside it, throughput at 16 clients", 0.95, ratio));

    let write = |tenant: &str, id: &String| -> Result<Ask> {
        Ok(Ask {
            method: Method::PUT,
            body: r#"{"address":"1 Main Street"}"#.into(),
            ..stage.get(tenant, &format!("/api/properties/{id}"))?
        })
    };
    let mut sql = alone.sql()?;
    let writer = |number| {
        let tenant = format!("writer-{number}");
        write(&tenant, seed::ids(&mut sql, &tenant)?.first().context("a property")?)
    };
    let many = (0..WRITERS).map(writer).collect::<Result<Vec<Ask>>>()?;
    let one = vec![write(TENANT, written)?];
    for (rows, writes) in [("a landlord each", many), ("one row", one)] {
        let put = |name: &str, api: &Api| subject(name, api, 1, limit, in_turn(writes.clone()), None);
        let series = alternate(size.rounds, vec![put("alone", &alone)?, put("a region", &beside)?])?;
        report.section(Section::of_series(&format!("PUT in a region, one client, {rows}"), &series));
        let [of_alone, of_beside] = &series[..] else { anyhow::bail!("a subject is missing") };
        let name = format!("PUT in a region ÷ alone, {rows}, p50");
        report.target(Target::at_most(&name, 1.05, of_beside.p50_ratio(of_alone)));
    }

    let asks = cold.iter().map(ask).collect::<Result<Vec<Ask>>>()?;
    let miss = |name: &str, api: &Api, cache: Cache| -> Result<Subject> {
        let (asks, instance) = (asks.clone(), api.instance.clone());
        let next: Next = Arc::new(move |_, turn| asks[turn.min(asks.len() - 1)].clone());
        let (address, asked) = (api.address()?, read.clone());
        let forget: Box<dyn Fn() -> Result<()>> = Box::new(move || {
            cache.forget(&instance, "region-")?;
            await_hit(address, &asked)
        });
        let limit = Limit::Requests(size.requests);
        Ok(Subject { prepare: Some(forget), ..subject(name, api, 4, limit, next, Some(Kind::Miss))? })
    };
    let misses = vec![
        miss("alone", &alone, stage.cache()?)?,
        miss("a region 80 ms from the primary, a standby beside it", &across, Cache::new(&far.redis.url())?)?,
    ];
    let series = alternate(size.rounds, misses)?;
    report.section(Section::of_series("Misses in a region, four clients", &series));
    let [of_alone, of_across] = &series[..] else { anyhow::bail!("a subject is missing") };
    let ratio = of_across.p50_ratio(of_alone);
    report.target(Target::at_most("a miss 80 ms from the primary, with a standby ÷ alone, p50", 1.3, ratio));
    Ok(())
}

/// A region uses its cache when it has registered and read the log.
fn await_hit(address: SocketAddr, read: &Ask) -> Result<()> {
    for _ in 0..200 {
        let outcome = load::run(address, 1, Limit::Requests(1), always(read.clone()))?;
        if outcome.answered.iter().all(|answered| answered.kind == Kind::Hit) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    anyhow::bail!("the cache was not used")
}

/// The same database by another port of the same host.
fn through(url: &str, port: u16) -> Result<String> {
    let mut url = Url::parse(url).context("the database's URL cannot be read")?;
    url.set_port(Some(port)).map_err(|()| anyhow::anyhow!("the database's URL names no host"))?;
    Ok(url.into())
}
