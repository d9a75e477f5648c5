//! What is measured, one file a case.

mod first_requests;
mod footprint;
mod growth;
mod log;
mod misses;
mod read_lease;
mod regions;
mod stampede;
mod throughput;
mod writes;
mod zipf;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use http::Method;
use serde_json::Value;

use crate::load::{self, Ask, Limit, Next};
use crate::report::Report;
use crate::stage::{Api, Stage};
use throughput::Shared;

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
    /// How long writes go to the log of regions.
    pub log: Duration,
}

impl Size {
    /// For figures.
    pub fn full() -> Size {
        let growth = [100, 10_000, 1_000_000];
        let (round, large_tenant, log) = (Duration::from_secs(2), 100_000, Duration::from_secs(600));
        Size { name: "full", rounds: 7, round, requests: 4_000, growth, large_tenant, zipf: 100_000, log }
    }

    /// For a look.
    pub fn quick() -> Size {
        let growth = [100, 5_000, 60_000];
        let (round, large_tenant, log) = (Duration::from_millis(400), 20_000, Duration::from_secs(10));
        Size { name: "quick", rounds: 3, round, requests: 600, growth, large_tenant, zipf: 20_000, log }
    }
}

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// Component sizes, instantiation, memory and start
    Footprint,
    /// Throughput beside the floor, a sample and peers
    Throughput,
    /// Short-lived instances
    FirstRequests,
    /// Misses, and without a cache
    Misses,
    /// Writes
    Writes,
    /// A stampede
    Stampede,
    /// Growth
    Growth,
    /// A Zipf workload
    Zipf,
    /// A hot key and writes, with read leases
    ReadLease,
    /// Hits, misses and writes in a region of several
    Regions,
    /// The log of regions at 1,000 writes a second
    Log,
}

impl Case {
    /// Whether it runs on the hosts that several cases share.
    fn is_shared(self) -> bool {
        matches!(self, Case::Throughput | Case::FirstRequests | Case::Misses | Case::Writes | Case::Stampede)
    }

    fn measure(self, stage: &Stage, shared: Option<&Shared>, size: &Size, report: &mut Report) -> Result<()> {
        match (self, shared) {
            (Case::Throughput, Some(shared)) => throughput::measure(stage, shared, size, report),
            (Case::FirstRequests, Some(shared)) => first_requests::measure(stage, shared, size, report),
            (Case::Misses, Some(shared)) => misses::measure(stage, shared, size, report),
            (Case::Writes, Some(shared)) => writes::measure(stage, shared, size, report),
            (Case::Stampede, Some(shared)) => stampede::measure(stage, shared, report),
            (Case::Footprint, _) => footprint::measure(stage, size, report),
            (Case::Growth, _) => growth::measure(stage, size, report),
            (Case::Zipf, _) => zipf::measure(stage, size, report),
            (Case::ReadLease, _) => read_lease::measure(stage, size, report),
            (Case::Regions, _) => regions::measure(stage, size, report),
            (Case::Log, _) => log::measure(stage, size, report),
            (_, None) => bail!("the hosts of this case were not started"),
        }
    }

    fn say_and_measure(self, stage: &Stage, shared: Option<&Shared>, size: &Size, report: &mut Report) -> Result<()> {
        let name = self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        eprintln!("==> measuring {name}");
        self.measure(stage, shared, size, report)
    }
}

/// These cases, one after the other; all when there are none.
pub fn measure(stage: &Stage, only: &[Case], size: &Size) -> Result<Report> {
    let began = Instant::now();
    let mut report = Report::new("benchmark", ABOUT);
    report.fact("runtime", stage.runtime.name());
    report.fact("size", size.name);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    report.fact("processors", format!("{processors}, shared by all servers and the load generator"));
    let wanted = |case: &Case| only.is_empty() || only.contains(case);
    let (shared, alone): (Vec<Case>, Vec<Case>) =
        Case::value_variants().iter().copied().filter(wanted).partition(|case| case.is_shared());
    if !shared.is_empty() {
        let hosts = Shared::start(stage)?;
        for case in shared {
            case.say_and_measure(stage, Some(&hosts), size, &mut report)?;
        }
    }
    for case in alone {
        case.say_and_measure(stage, None, size, &mut report)?;
    }
    report.fact("took", format!("{} s", began.elapsed().as_secs()));
    Ok(report)
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
