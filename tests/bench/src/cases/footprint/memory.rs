//! How much memory a host takes for each warm instance, from 1 to 64 of them: of the product's component, and of the floor.
//!
//! A host makes a second instance of a component only while the first takes no request, and the floor answers faster than an
//! instance is made: so no load makes exactly so many. An application with as many copies of the component does, each asked alone.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use stack::{Host, HostOptions};
use toml::{Table, Value};

use super::super::{Size, in_turn};
use crate::load::{Ask, Kind, Limit, run};
use crate::measure::Spread;
use crate::process::Memory;
use crate::report::{Report, Section, Target};
use crate::seed;
use crate::stage::{Stage, address};

/// How many instances there are when the memory is read.
const INSTANCES: [usize; 4] = [1, 4, 16, 64];
const MOST: usize = INSTANCES[INSTANCES.len() - 1];
/// So many requests make an instance warm: what a hit needs has then grown to its size.
const REQUESTS_EACH: usize = 50;
/// Longer than a round: no instance ends in the middle of one.
const KEPT: [&str; 2] = ["--idle-instance-timeout", "600s"];
const TENANT: &str = "memory-0";
const KIB_PER_MIB: f64 = 1_024.0;

/// A component, and what was measured of it.
struct Subject {
    component: &'static str,
    manifest: PathBuf,
    must_be: Kind,
    /// For each count of [`INSTANCES`] the host's memory, of each round.
    memory: [Vec<Memory>; INSTANCES.len()],
}

impl Subject {
    /// A component of the manifest at `path`, which is copied for each of these requests.
    fn new(stage: &Stage, path: &str, component: &'static str, must_be: Kind, asks: &[Ask]) -> Result<Subject> {
        let path = stack::repository_root().join(path);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let routes: Vec<&str> = asks.iter().map(|ask| ask.target.as_str()).collect();
        let copies = with_copies(&text, path.parent().context("a folder")?, component, &routes)?;
        let manifest = stage.path(&format!("{component}-copies.toml"));
        std::fs::write(&manifest, copies)?;
        Ok(Subject { component, manifest, must_be, memory: Default::default() })
    }

    /// One round: starts a host, and reads its memory each time that it has another count of warm instances.
    fn measure(&mut self, options: HostOptions, asks: &[Ask]) -> Result<()> {
        let arguments: Vec<&OsStr> = stack::LONG_REUSE.iter().chain(&KEPT).map(OsStr::new).collect();
        let host = Host::start_with(options, &self.manifest, &arguments)?;
        for (count, memory) in INSTANCES.into_iter().zip(&mut self.memory) {
            // One client, so that each copy has one request at a time and needs one instance.
            let limit = Limit::Requests(count * REQUESTS_EACH);
            let outcome = run(address(host.base_url())?, 1, limit, in_turn(asks[..count].to_vec()))?;
            let other = outcome.answered.iter().filter(|answered| answered.kind != self.must_be).count();
            ensure!(other == 0, "{}: {other} answers were no {:?}", self.component, self.must_be);
            memory.push(Memory::of(host.pid())?);
        }
        Ok(())
    }

    /// The memory of an instance in KiB, of each round: what those beyond the first have added to what `of` picks.
    fn each(&self, of: fn(&Memory) -> f64) -> Vec<f64> {
        let [first, .., last] = &self.memory;
        first.iter().zip(last).map(|(first, last)| (of(last) - of(first)) / (MOST - INSTANCES[0]) as f64).collect()
    }

    fn row(&self) -> Vec<String> {
        let of_host = self.memory.iter().map(|rounds| {
            let mib = Spread::of(rounds.iter().map(|memory| memory.resident / KIB_PER_MIB));
            format!("{:.1} ({:.1} – {:.1})", mib.median, mib.min, mib.max)
        });
        let [each, own] = [self.each(RESIDENT), self.each(ANONYMOUS)].map(Spread::of);
        let range = |spread: Spread| format!("{:.0} – {:.0}", spread.min, spread.max);
        let of_each = [format!("{:.0}", each.median), range(each), format!("{:.0} ({})", own.median, range(own))];
        std::iter::once(self.component.to_owned()).chain(of_host).chain(of_each).collect()
    }

    fn json(&self) -> serde_json::Value {
        let of_host = INSTANCES.iter().zip(&self.memory).map(|(count, rounds)| {
            let spread = Spread::of(rounds.iter().map(|memory| memory.resident));
            (count.to_string(), spread.json())
        });
        json!({
            "component": self.component,
            "resident_kib_by_instances": of_host.collect::<serde_json::Map<_, _>>(),
            "kib_each": Spread::of(self.each(RESIDENT)).json(),
            "anonymous_kib_each": Spread::of(self.each(ANONYMOUS)).json(),
        })
    }
}

const RESIDENT: fn(&Memory) -> f64 = |memory| memory.resident;
const ANONYMOUS: fn(&Memory) -> f64 = |memory| memory.anonymous;

/// Measures.
pub fn measure(stage: &Stage, size: &Size, report: &mut Report) -> Result<()> {
    let database = stage.database("memory")?;
    // It stores what is asked for: the hosts that are measured find all of it.
    let filler = stage.api("memory", &database, &[])?;
    let mut client = filler.sql()?;
    seed::properties(&mut client, "memory-", 1, MOST as i64, 500)?;
    let get = |id: &String| stage.get(TENANT, &format!("/api/properties/{id}"));
    let asks: Vec<Ask> = seed::ids(&mut client, TENANT)?.iter().map(get).collect::<Result<_>>()?;
    run(filler.address()?, 1, Limit::Requests(asks.len()), in_turn(asks.clone()))?;
    drop(filler);

    let mut floor = Subject::new(stage, "tests/bench/floor/spin.toml", "floor", Kind::Other, &asks)?;
    let mut product = Subject::new(stage, "spin.toml", "property-reads", Kind::Hit, &asks)?;
    for _ in 0..size.rounds {
        floor.measure(stage.options("memory-floor", [].into()), &asks)?;
        product.measure(stage.api_options("memory", &database)?, &asks)?;
    }
    let mut header = vec!["component".to_owned()];
    header.extend(INSTANCES.map(|count| format!("host with {count} (MiB)")));
    header.extend(["each (KiB)", "min – max", "of that anonymous"].map(str::to_owned));
    let mut section = Section::new("Resident memory by warm instances", header, vec![floor.row(), product.row()]);
    section.note(format!(
        "Medians, with minimum and maximum, of what is in RAM (VmRSS). Each is what the {} beyond the first have added. An \
         instance is warm after {REQUESTS_EACH} requests, for property-reads hits on one property. The data of a component that no \
         instance has written to is in RAM once, and counts for each that has read it; what is anonymous is its own.",
        MOST - INSTANCES[0]
    ));
    section.data(json!([floor.json(), product.json()]));
    report.section(section);
    let ratio =
        Spread::of(product.each(RESIDENT).iter().zip(floor.each(RESIDENT)).map(|(product, floor)| product / floor));
    report.target(Target::at_most("memory of a warm instance ÷ the floor's", 1.5, ratio));
    Ok(())
}

/// The manifest in `text`, whose sources are relative to `folder`, with a copy of `component` at each of these routes.
fn with_copies(text: &str, folder: &Path, component: &str, routes: &[&str]) -> Result<String> {
    let mut manifest: Table = text.parse().context("the manifest is no TOML")?;
    let components = manifest.get_mut("component").and_then(Value::as_table_mut).context("it has no component")?;
    for (_, entry) in components.iter_mut() {
        let source = entry.get("source").and_then(Value::as_str).context("a component has no source")?;
        let source = folder.join(source).to_string_lossy().into_owned();
        entry["source"] = source.into();
    }
    let original = components.get(component).with_context(|| format!("it has no {component}"))?.clone();
    let id = |number: usize| format!("{component}-copy{number}");
    components.extend((0..routes.len()).map(|number| (id(number), original.clone())));
    let triggers = manifest.get_mut("trigger").and_then(|trigger| trigger.get_mut("http"));
    let triggers = triggers.and_then(Value::as_array_mut).context("it has no route")?;
    let trigger = |(number, route): (usize, &&str)| {
        Value::from(Table::from_iter([("route".into(), (*route).into()), ("component".into(), id(number).into())]))
    };
    triggers.extend(routes.iter().enumerate().map(trigger));
    Ok(manifest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_has_a_copy_of_the_component_and_the_rest_of_the_manifest_stays() {
        let text = r#"
            spin_manifest_version = 2
            [[trigger.http]]
            route = "/..."
            component = "it"
            [component.it]
            source = "it.wasm"
            allowed_outbound_hosts = ["redis://x:1"]
        "#;
        let copies = with_copies(text, Path::new("/folder"), "it", &["/a", "/b"]).expect("a manifest");
        let copies: Table = copies.parse().expect("TOML");
        let triggers = copies["trigger"]["http"].as_array().expect("routes");
        let route =
            |trigger: &Value| [&trigger["route"], &trigger["component"]].map(|text| text.as_str().map(str::to_owned));
        let expected =
            [["/...", "it"], ["/a", "it-copy0"], ["/b", "it-copy1"]].map(|pair| pair.map(|text| Some(text.into())));
        assert_eq!(triggers.iter().map(route).collect::<Vec<_>>(), expected);
        let components = copies["component"].as_table().expect("components");
        assert_eq!(components.len(), 3);
        for (id, component) in components {
            assert_eq!(component["source"].as_str(), Some("/folder/it.wasm"), "{id}");
            assert_eq!(component, &components["it"], "{id}");
        }
        assert!(with_copies(text, Path::new("/folder"), "other", &[]).is_err());
    }
}
