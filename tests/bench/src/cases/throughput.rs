//! Cached GETs beside the platform's floor, the same past the cache, cache-aside as samples have it, and peers on other
//! platforms; and all by concurrency.

mod causes;

use anyhow::{Context, Result};
use serde_json::json;
use stack::{Host, Runtime};

use super::{Size, always, in_turn, once, without_cache};
use crate::load::{Ask, Kind, Limit, Next};
use crate::measure::{Series, Subject, alternate, named};
use crate::report::{Curve, Report, Section, Target, plots};
use crate::seed;
use crate::stage::{Api, Peer, Reuse, Stage, address};

/// How many clients the targets are about.
const CLIENTS: usize = 16;
/// From one client to many.
const CONCURRENCY: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/// The tenant whose list is read, with a page of fifty and a few properties more.
const TENANT: &str = "reader-0";
const PROPERTIES: i64 = 60;
const PAGE: &str = "/api/properties?pageSize=50";
/// The key of a copy of one property's entry.
const ONE_GET_KEY: &str = "one-get";

/// Why a report has no processor time and no memory of Spin.
pub const NOT_ON_SPIN: &str = "not measured: Spin serves from a process below the one that is known";

const FLOOR: &str = "floor";
const ONE_GET: &str = "one GET of Redis";
const SAMPLE: &str = "cache-aside sample";
const CACHED: &str = "cached property";
const CACHED_PAGE: &str = "cached page of 50";
const UNCACHED: &str = "property without a cache";
const NATIVE: &str = "native peer: cached property";
const NATIVE_PAGE: &str = "native peer: cached page of 50";
const NODE: &str = "Node.js peer: cached property";
const NODE_PAGE: &str = "Node.js peer: cached page of 50";

/// The hosts that the cases share, and what is asked of them.
pub struct Shared {
    /// The API.
    pub api: Api,
    /// The same on the same database, with its cache taken out of use.
    pub uncached: Api,
    floor: Host,
    one_get: Host,
    naive: Host,
    native: Peer,
    node: Option<Peer>,
    /// One property.
    pub single: Ask,
    /// A page of fifty.
    pub page: Ask,
    /// Every property, by turns.
    pub singles: Vec<Ask>,
}

impl Shared {
    /// Starts them.
    pub fn start(stage: &Stage) -> Result<Shared> {
        let database = stage.database("bench")?;
        let api = stage.api("bench", &database, &[])?;
        let mut client = api.sql()?;
        seed::properties(&mut client, "reader-", 1, PROPERTIES, 500)?;
        seed::payments(&mut client, TENANT, 2)?;
        seed::settle(&mut client)?;
        let get = |id: &String| stage.get(TENANT, &format!("/api/properties/{id}"));
        let singles: Vec<Ask> = seed::ids(&mut client, TENANT)?.iter().map(get).collect::<Result<_>>()?;
        let single = singles.first().context("a property")?.clone();
        let page = stage.get(TENANT, PAGE)?;
        for ask in [&single, &page] {
            once(&api, ask.clone())?;
        }
        let order = Ask {
            target: "/api/cache/breaker".into(),
            authorization: stage.bearer("operator", Some("Admin"))?,
            ..single.clone()
        };
        let epoch = once(&api, order)?["epoch"].as_u64().context("the breaker tells no epoch")?;
        let uncached = stage.api("uncached", &database, &[])?;
        without_cache(stage, &uncached, &single)?;
        let id = single.target.trim_start_matches("/api/properties/");
        let cache = stage.cache()?;
        let key = format!("{}{TENANT}:property:{id}", api.instance);
        cache.copy(&key, ONE_GET_KEY)?;
        // The peers have no misses: what they are asked for must not run out in the middle of a round.
        cache.keep(&key)?;
        cache.keep(&format!("{}{TENANT}:property:list", api.instance))?;
        let (floor, one_get) = (stage.floor(Reuse::Long)?, stage.one_get(ONE_GET_KEY)?);
        let naive = stage.naive(Reuse::Long, &database)?;
        let (native, node) = (stage.native_peer(&api, epoch)?, stage.node_peer(&api, epoch)?);
        Ok(Shared { api, uncached, floor, one_get, naive, native, node, single, page, singles })
    }

    fn subjects(&self, size: &Size, connections: usize) -> Result<Vec<Subject>> {
        let at = |host: &Host| -> Result<_> { Ok((address(host.base_url())?, host.pid())) };
        let (at_api, at_native) = (at(&self.api.host)?, self.native.server()?);
        let limit = Limit::For(size.round);
        let subject = |name: &str, server, next: Next, must_be| Subject {
            must_be,
            ..Subject::new(name, server, connections, limit, next)
        };
        let (single, page) = (always(self.single.clone()), always(self.page.clone()));
        let mut subjects = vec![
            subject(FLOOR, at(&self.floor)?, single.clone(), None),
            subject(ONE_GET, at(&self.one_get)?, single.clone(), None),
            subject(SAMPLE, at(&self.naive)?, single.clone(), None),
            subject(CACHED, at_api, single.clone(), Some(Kind::Hit)),
            subject(CACHED_PAGE, at_api, page.clone(), Some(Kind::Hit)),
            subject(UNCACHED, at(&self.uncached.host)?, in_turn(self.singles.clone()), Some(Kind::Bypass)),
            subject(NATIVE, at_native, single.clone(), Some(Kind::Hit)),
            subject(NATIVE_PAGE, at_native, page.clone(), Some(Kind::Hit)),
        ];
        if let Some(node) = &self.node {
            let at_node = node.server()?;
            subjects.push(subject(NODE, at_node, single, Some(Kind::Hit)));
            subjects.push(subject(NODE_PAGE, at_node, page, Some(Kind::Hit)));
        }
        Ok(subjects)
    }
}

/// Measures.
pub fn measure(stage: &Stage, shared: &Shared, size: &Size, report: &mut Report) -> Result<()> {
    let alone = alternate(size.rounds, shared.subjects(size, 1)?)?;
    report.section(Section::of_series("One client", &alone));
    let series = alternate(size.rounds, shared.subjects(size, CLIENTS)?)?;
    let [floor, one_get, sample] = [named(&series, FLOOR)?, named(&series, ONE_GET)?, named(&series, SAMPLE)?];
    let [single, page, uncached] = [named(&series, CACHED)?, named(&series, CACHED_PAGE)?, named(&series, UNCACHED)?];
    let native = [named(&series, NATIVE)?, named(&series, NATIVE_PAGE)?];
    let mut section = Section::of_series("Sixteen clients", &series);
    section.plot(plots::latencies("Latency at 16 clients", &series)?);
    let beside = |peer: &str, [its_single, its_page]: [&Series; 2]| {
        format!(
            "A cached property has {:.2} times the throughput of the {peer} peer's, a page of 50 {:.2} times.",
            single.throughput_ratio(its_single).median,
            page.throughput_ratio(its_page).median
        )
    };
    section.note(beside("native", native));
    section.note(match shared.node {
        Some(_) => beside("Node.js", [named(&series, NODE)?, named(&series, NODE_PAGE)?]),
        None => "The peer on Node.js is LEFT OUT: it could not be installed.".into(),
    });
    section.note(format!(
        "A component that asks Redis for the bytes of the same property, and does nothing else, has {:.2} times the floor's \
         throughput; the cached property has {:.2} times that component's.",
        one_get.throughput_ratio(floor).median,
        single.throughput_ratio(one_get).median
    ));
    report.section(section);
    match stage.runtime {
        Runtime::Embedded => report.section(causes::section(floor, one_get, single, native[0])),
        Runtime::Spin => report.fact("processor time by cause", NOT_ON_SPIN),
    }

    let of_floor = single.throughput_ratio(floor);
    report.target(Target::at_least("cached GET ÷ floor, throughput at 16 clients", 0.55, of_floor));
    let p99 = single.p99_ratio(floor);
    report.target(Target::below("p99 of hits ÷ p99 of the floor, 16 clients", 4.0, p99));
    let of_uncached = single.throughput_ratio(uncached);
    report.target(Target::at_least("cached GET ÷ uncached GET, throughput at 16 clients", 5.0, of_uncached));
    let of_sample = single.throughput_ratio(sample);
    report.target(Target::at_least("cached GET ÷ cache-aside sample, throughput at 16 clients", 3.0, of_sample));
    concurrency(shared, size, report)
}

/// Throughput of the floor, a cached property and the native peer's from 1 to 256 clients.
fn concurrency(shared: &Shared, size: &Size, report: &mut Report) -> Result<()> {
    let rounds = size.rounds.div_ceil(3);
    let mut curves: Vec<Curve> = Vec::new();
    for clients in CONCURRENCY {
        let subjects = shared.subjects(size, clients)?;
        let wanted = [FLOOR, CACHED, NATIVE];
        let subjects = subjects.into_iter().filter(|subject| wanted.contains(&subject.name.as_str())).collect();
        for series in alternate(rounds, subjects)? {
            let point = (clients as f64, series.throughput().median);
            match curves.iter_mut().find(|curve| curve.name == series.name) {
                Some(curve) => curve.points.push(point),
                None => curves.push(Curve { name: series.name, points: vec![point] }),
            }
        }
    }
    let mut header = vec!["clients".to_owned()];
    header.extend(curves.iter().map(|curve| format!("{} (1/s)", curve.name)));
    let row = |index: usize, clients: usize| {
        let values = curves.iter().map(|curve| format!("{:.0}", curve.points[index].1));
        std::iter::once(clients.to_string()).chain(values).collect()
    };
    let rows = CONCURRENCY.into_iter().enumerate().map(|(index, clients)| row(index, clients)).collect();
    let mut section = Section::new("Throughput by concurrency", header, rows);
    section.data(json!(
        curves.iter().map(|curve| json!({ "name": curve.name, "points": curve.points })).collect::<Vec<_>>()
    ));
    section.plot(plots::curves("Throughput by concurrency", "clients", "requests a second", &curves)?);
    report.section(section);
    Ok(())
}
