//! What is measured, one file a case.

mod first_requests;
mod footprint;
mod growth;
mod misses;
mod stampede;
mod throughput;
mod writes;
mod zipf;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use http::Method;
use serde_json::Value;

use crate::load::{self, Ask, Limit, Next};
use crate::report::Report;
use crate::stage::{Api, Stage};

const ABOUT: &str = "Medians of rounds taken by turns, with minimum and maximum. The machine is shared: only figures of one \
    run, and best only their ratios, say anything.";

/// How much is measured.
pub struct Size {
    /// Its name.
    pub name: &'static str,
    /// Rounds that are counted.
    pub rounds: usize,
    /// How long a round is.
    pub round: Duration,
    /// The requests of a round where each has a row of its own.
    pub requests: usize,
    /// The rows of the tables that grow.
    pub growth: [i64; 3],
    /// The properties of the large tenant in the largest of them.
    pub large_tenant: i64,
    /// The requests of the Zipf workload, and as many before them to warm the cache.
    pub zipf: usize,
}

impl Size {
    /// For figures.
    pub fn full() -> Size {
        let growth = [100, 10_000, 1_000_000];
        let (round, large_tenant) = (Duration::from_secs(2), 100_000);
        Size { name: "full", rounds: 7, round, requests: 4_000, growth, large_tenant, zipf: 100_000 }
    }

    /// For a look.
    pub fn quick() -> Size {
        let growth = [100, 5_000, 60_000];
        let (round, large_tenant) = (Duration::from_millis(400), 20_000);
        Size { name: "quick", rounds: 3, round, requests: 600, growth, large_tenant, zipf: 20_000 }
    }
}

/// Every case, one after the other.
pub fn all(stage: &Stage, size: &Size) -> Result<Report> {
    let began = Instant::now();
    let mut report = Report::new("benchmark", ABOUT);
    report.fact("runtime", stage.runtime.name());
    report.fact("size", size.name);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    report.fact("processors", format!("{processors}, shared by all servers and the load generator"));
    say("component sizes and instantiation");
    footprint::measure(stage, &mut report)?;
    let shared = throughput::Shared::start(stage)?;
    say("throughput beside the floor and the peer");
    throughput::measure(stage, &shared, size, &mut report)?;
    say("instances that live shortly");
    first_requests::measure(stage, &shared, size, &mut report)?;
    say("misses, and without a cache");
    misses::measure(stage, &shared, size, &mut report)?;
    say("writes");
    writes::measure(stage, &shared, size, &mut report)?;
    say("a stampede");
    stampede::measure(stage, &shared, &mut report)?;
    drop(shared);
    say("growth");
    growth::measure(stage, size, &mut report)?;
    say("a Zipf workload");
    zipf::measure(stage, size, &mut report)?;
    report.fact("took", format!("{} s", began.elapsed().as_secs()));
    Ok(report)
}

fn say(what: &str) {
    eprintln!("==> measuring {what}");
}

/// Always the same request.
fn always(ask: Ask) -> Next {
    Arc::new(move |_, _| ask.clone())
}

/// These requests by turns, from the first again after the last.
fn in_turn(asks: Vec<Ask>) -> Next {
    Arc::new(move |_, turn| asks[turn % asks.len()].clone())
}

/// Sends a request once, and gives the answer, which is JSON.
fn once(api: &Api, request: Ask) -> Result<Value> {
    let target = request.target.clone();
    serde_json::from_slice(&load::once(api.address()?, request)?).with_context(|| format!("{target} answers no JSON"))
}

/// Takes the cache of this host out of use, and waits until no answer comes from it.
fn without_cache(stage: &Stage, api: &Api, probe: &Ask) -> Result<()> {
    let order = Ask {
        method: Method::PUT,
        target: "/api/cache/breaker".into(),
        authorization: stage.bearer("operator", Some("Admin"))?,
        body: r#"{"mode":"forced_open"}"#.into(),
    };
    once(api, order)?;
    for _ in 0..100 {
        let outcome = load::run(api.address()?, 1, Limit::Requests(1), always(probe.clone()))?;
        if outcome.answered.iter().all(|answered| answered.kind == load::Kind::Bypass) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    anyhow::bail!("the cache was used in spite of the order")
}
