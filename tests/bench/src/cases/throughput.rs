//! Cached GETs beside the platform's floor, the same past the cache, and a native peer; and all by concurrency.

use anyhow::{Context, Result};
use serde_json::json;
use stack::Host;

use super::{Size, always, in_turn, once, without_cache};
use crate::load::{Ask, Kind, Limit, Next};
use crate::measure::{Subject, alternate};
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
const ONE_GET: &str = "one-get";

/// The hosts that the cases share, and what is asked of them.
pub struct Shared {
    /// The API.
    pub api: Api,
    /// The same on the same database, with its cache taken out of use.
    pub uncached: Api,
    floor: Host,
    one_get: Host,
    peer: Peer,
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
        stage.cache()?.copy(&format!("{}{TENANT}:property:{id}", api.instance), ONE_GET)?;
        let (floor, one_get) = (stage.floor(Reuse::Long)?, stage.one_get(ONE_GET)?);
        Ok(Shared { floor, one_get, peer: stage.peer(&api, epoch)?, api, uncached, single, page, singles })
    }

    fn subjects(&self, size: &Size, connections: usize) -> Result<Vec<Subject>> {
        let at_api = (self.api.address()?, self.api.host.pid());
        let at_uncached = (self.uncached.address()?, self.uncached.host.pid());
        let at_peer = (self.peer.address()?, self.peer.pid());
        let at_floor = (address(self.floor.base_url())?, self.floor.pid());
        let at_one_get = (address(self.one_get.base_url())?, self.one_get.pid());
        let limit = Limit::For(size.round);
        let subject = |name: &str, server, next: Next, must_be| Subject {
            must_be,
            ..Subject::new(name, server, connections, limit, next)
        };
        Ok(vec![
            subject("floor", at_floor, always(self.single.clone()), None),
            subject("one GET of Redis", at_one_get, always(self.single.clone()), None),
            subject("cached property", at_api, always(self.single.clone()), Some(Kind::Hit)),
            subject("cached page of 50", at_api, always(self.page.clone()), Some(Kind::Hit)),
            subject("property without a cache", at_uncached, in_turn(self.singles.clone()), Some(Kind::Bypass)),
            subject("peer: cached property", at_peer, always(self.single.clone()), Some(Kind::Hit)),
            subject("peer: cached page of 50", at_peer, always(self.page.clone()), Some(Kind::Hit)),
        ])
    }
}

/// Measures.
pub fn measure(_: &Stage, shared: &Shared, size: &Size, report: &mut Report) -> Result<()> {
    let alone = alternate(size.rounds, shared.subjects(size, 1)?)?;
    report.section(Section::of_series("One client", &alone));
    let series = alternate(size.rounds, shared.subjects(size, CLIENTS)?)?;
    let [floor, one_get, single, page, uncached, peer_single, peer_page] = &series[..] else {
        anyhow::bail!("a subject is missing");
    };
    let mut section = Section::of_series("Sixteen clients", &series);
    section.plot(plots::latencies("Latency at 16 clients", &series)?);
    section.note(format!(
        "A cached property has {:.2} times the throughput of the peer's, a page of 50 {:.2} times.",
        single.throughput_ratio(peer_single).median,
        page.throughput_ratio(peer_page).median
    ));
    section.note(format!(
        "A component that asks Redis for the bytes of the same property, and does nothing else, has {:.2} times the floor's \
         throughput; the cached property has {:.2} times that component's.",
        one_get.throughput_ratio(floor).median,
        single.throughput_ratio(one_get).median
    ));
    report.section(section);

    let of_floor = single.throughput_ratio(floor);
    report.target(Target::at_least("cached GET ÷ floor, throughput at 16 clients", 0.55, of_floor));
    let p99 = single.p99_ratio(floor);
    report.target(Target::below("p99 of hits ÷ p99 of the floor, 16 clients", 4.0, p99));
    let of_uncached = single.throughput_ratio(uncached);
    report.target(Target::at_least("cached GET ÷ uncached GET, throughput at 16 clients", 5.0, of_uncached));
    concurrency(shared, size, report)
}

/// Throughput of the floor, a cached property and the peer's from 1 to 256 clients.
fn concurrency(shared: &Shared, size: &Size, report: &mut Report) -> Result<()> {
    let rounds = size.rounds.div_ceil(3);
    let mut curves: Vec<Curve> = Vec::new();
    for clients in CONCURRENCY {
        let subjects = shared.subjects(size, clients)?;
        let wanted = ["floor", "cached property", "peer: cached property"];
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
