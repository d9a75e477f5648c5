//! A hot key and its writes where instances answer again from what they got a moment ago, beside the same without.

use anyhow::Result;
use http::Method;

use super::{Size, always, once};
use crate::load::{Ask, Kind, Limit};
use crate::measure::{Subject, alternate};
use crate::report::{Report, Section, Target};
use crate::seed;
use crate::stage::{READ_LEASE_MS, Reuse, Stage, address};

const CLIENTS: usize = 16;
const TENANT: &str = "leased-0";
/// What a write may take longer than it waits, in milliseconds.
const ALLOWANCE: f64 = 1.0;

/// Measures.
pub fn measure(stage: &Stage, size: &Size, report: &mut Report) -> Result<()> {
    let database = stage.database("leased")?;
    let (without, with) = (stage.api("unleased", &database, &[])?, stage.api_with_read_leases("leased", &database)?);
    let mut client = with.sql()?;
    // One is read, the other written.
    seed::properties(&mut client, "leased-", 1, 2, 500)?;
    let ids = seed::ids(&mut client, TENANT)?;
    let [read, written] = &ids[..] else { anyhow::bail!("there are two properties") };
    let read = stage.get(TENANT, &format!("/api/properties/{read}"))?;
    let floor = stage.floor(Reuse::Long)?;
    let servers = [(&without, "a hit"), (&with, "a hit under a read lease")];
    for (api, _) in servers {
        once(api, read.clone())?;
    }

    let limit = Limit::For(size.round);
    let at_floor = (address(floor.base_url())?, floor.pid());
    let mut subjects = vec![Subject::new("floor", at_floor, CLIENTS, limit, always(read.clone()))];
    for (api, name) in servers {
        let server = (api.address()?, api.host.pid());
        let subject = Subject::new(name, server, CLIENTS, limit, always(read.clone()));
        subjects.push(Subject { must_be: Some(Kind::Hit), ..subject });
    }
    let cache = stage.cache()?;
    let commands = || Ok::<_, anyhow::Error>(cache.commands()?.get("getrange").copied().unwrap_or_default());
    let series = alternate(size.rounds, subjects)?;
    let [floor, hit, leased] = &series[..] else { anyhow::bail!("a subject is missing") };
    let mut section = Section::of_series("A hot key, sixteen clients", &series);
    let before = commands()?;
    let outcome = crate::load::run(with.address()?, CLIENTS, limit, always(read.clone()))?;
    let each = (commands()? - before) as f64 / outcome.answered.len() as f64;
    section.note(format!(
        "With a read lease of {READ_LEASE_MS} ms a request has {each:.4} commands of Redis, and {:.2} times the throughput.",
        leased.throughput_ratio(hit).median
    ));
    report.section(section);
    let of_floor = leased.throughput_ratio(floor);
    report.target(Target::at_least("hot key under a read lease ÷ floor, throughput at 16 clients", 0.85, of_floor));

    let write = Ask {
        method: Method::PUT,
        target: format!("/api/properties/{written}"),
        body: r#"{"address":"1 Main Street"}"#.into(),
        ..read
    };
    let mut subjects = Vec::new();
    for (api, name) in [(&without, "PUT"), (&with, "PUT that waits for read leases")] {
        let server = (api.address()?, api.host.pid());
        subjects.push(Subject::new(name, server, 1, limit, always(write.clone())));
    }
    let series = alternate(size.rounds, subjects)?;
    report.section(Section::of_series("Writes with read leases, one client", &series));
    let [before, with] = &series[..] else { anyhow::bail!("a subject is missing") };
    let waited = with.p50_above(before);
    let most = f64::from(READ_LEASE_MS) + ALLOWANCE;
    report.target(Target::at_most("PUT with a read lease of 50 ms: p50 above that without, in ms", most, waited));
    Ok(())
}
