//! Cached GETs where instances are short-lived: one request each, as on hosts that reuse none, and as long as Spin lets them by default.
//! Beside the floor, and beside cache-aside as samples have it.

use anyhow::Result;
use stack::Host;

use super::throughput::Shared;
use super::{Size, always, once};
use crate::load::{Kind, Limit};
use crate::measure::{Series, Subject, alternate};
use crate::report::{Report, Section, Target};
use crate::stage::{Api, Reuse, Stage, address};

/// How many clients there are, as where instances live long.
const CLIENTS: usize = 16;

/// The three that are compared, with instances that live equally long.
struct Hosts {
    floor: Host,
    naive: Host,
    api: Api,
}

impl Hosts {
    fn start(stage: &Stage, shared: &Shared, reuse: Reuse, name: &str) -> Result<Hosts> {
        let url = &shared.api.database_url;
        let api = stage.api_with(reuse, name, url, &[])?;
        once(&api, shared.single.clone())?;
        Ok(Hosts { floor: stage.floor(reuse)?, naive: stage.naive(reuse, url)?, api })
    }

    fn subjects(&self, shared: &Shared, size: &Size) -> Result<Vec<Subject>> {
        let subject = |name: &str, host: &Host, must_be| -> Result<Subject> {
            let server = (address(host.base_url())?, host.pid());
            let next = always(shared.single.clone());
            Ok(Subject { must_be, ..Subject::new(name, server, CLIENTS, Limit::For(size.round), next) })
        };
        Ok(vec![
            subject("floor", &self.floor, None)?,
            subject("cache-aside sample", &self.naive, None)?,
            subject("cached property", &self.api.host, Some(Kind::Hit))?,
        ])
    }
}

/// Measures.
pub fn measure(stage: &Stage, shared: &Shared, size: &Size, report: &mut Report) -> Result<()> {
    let one = Hosts::start(stage, shared, Reuse::One, "one-request")?;
    let series = alternate(size.rounds, one.subjects(shared, size)?)?;
    let mut section = Section::of_series("One request an instance, sixteen clients", &series);
    if let [floor, naive, hit] = &series[..] {
        note(&mut section, floor, naive, hit);
        let ratio = hit.throughput_ratio(naive);
        report.target(Target::at_least("one request an instance: hit ÷ cache-aside sample, throughput", 0.8, ratio));
    }
    report.section(section);
    drop(one);

    let default = Hosts::start(stage, shared, Reuse::Default, "defaults")?;
    let mut subjects = default.subjects(shared, size)?;
    let long = (address(shared.api.host.base_url())?, shared.api.host.pid());
    subjects.push(Subject {
        must_be: Some(Kind::Hit),
        ..Subject::new(
            "cached property, long-lived instances",
            long,
            CLIENTS,
            Limit::For(size.round),
            always(shared.single.clone()),
        )
    });
    let series = alternate(size.rounds, subjects)?;
    let mut section = Section::of_series("Spin's defaults (128 requests an instance), sixteen clients", &series);
    if let [floor, naive, hit, long] = &series[..] {
        note(&mut section, floor, naive, hit);
        let ratio = hit.throughput_ratio(long);
        report.target(Target::at_least("Spin's defaults: hit ÷ hit of long-lived instances, throughput", 0.95, ratio));
    }
    report.section(section);
    Ok(())
}

fn note(section: &mut Section, floor: &Series, naive: &Series, hit: &Series) {
    section.note(format!(
        "A cached property has {:.2} times the floor's throughput, and {:.2} times the sample's.",
        hit.throughput_ratio(floor).median,
        hit.throughput_ratio(naive).median
    ));
}
