//! How large the components are, how long an instance of one takes to make and how much memory it takes, and how long a host
//! takes to start.

mod memory;
mod start;

use std::collections::BTreeMap;
use std::ffi::OsStr;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use stack::Runtime;

use super::throughput::NOT_ON_SPIN;
use super::{Size, always};
use crate::load::{Limit, run};
use crate::measure::Spread;
use crate::report::{Report, Section};
use crate::seed;
use crate::stage::Stage;

/// An instance answers 128 requests: these make a few.
const REQUESTS: usize = 1_500;
const CLIENTS: usize = 8;

/// Measures. Memory and start are the embedded host's alone: Spin has no option for a compile cache.
pub fn measure(stage: &Stage, size: &Size, report: &mut Report) -> Result<()> {
    components(stage, report)?;
    if stage.runtime == Runtime::Spin {
        report.fact("memory", NOT_ON_SPIN);
        report.fact("start", "not measured: the compile cache is an option of the embedded host");
        return Ok(());
    }
    memory::measure(stage, size, report)?;
    start::measure(stage, size, report)
}

/// Only the embedded host tells how long an instance takes.
fn components(stage: &Stage, report: &mut Report) -> Result<()> {
    let mut micros: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    if stage.runtime == Runtime::Embedded {
        let meter = stage.path("meter");
        let api = stage.api("footprint", &stage.database("footprint")?, &[OsStr::new("--meter"), meter.as_os_str()])?;
        let mut client = api.sql()?;
        seed::properties(&mut client, "footprint-", 1, 1, 500)?;
        let id = seed::ids(&mut client, "footprint-0")?.pop().context("a property")?;
        let property = format!("/api/properties/{id}");
        for target in [property.clone(), format!("{property}/payments"), "/livez".into()] {
            let ask = stage.get("footprint-0", &target)?;
            run(api.address()?, CLIENTS, Limit::Requests(REQUESTS), always(ask))?;
        }
        let mut put = stage.get("footprint-0", &property)?;
        (put.method, put.body) = (http::Method::PUT, r#"{"address":"1 Main Street"}"#.into());
        run(api.address()?, CLIENTS, Limit::Requests(REQUESTS), always(put))?;
        for line in std::fs::read_to_string(&meter)?.lines() {
            let line: Value = serde_json::from_str(line)?;
            if let (Some(component), Some(time)) = (line["component"].as_str(), line["micros"].as_f64()) {
                micros.entry(component.to_owned()).or_default().push(time);
            }
        }
    }
    let (mut rows, mut data) = (Vec::new(), Vec::new());
    for component in ["property-reads", "payment-reads", "writes", "ops"] {
        let file = format!("target/wasm32-wasip2/release/{}.wasm", component.replace('-', "_"));
        let bytes = stack::repository_root().join(file).metadata().context("a component is not built")?.len();
        let times = micros.remove(component).unwrap_or_default();
        let count = times.len();
        let spread = Spread::of(times);
        rows.push(vec![
            component.to_owned(),
            format!("{:.0}", bytes as f64 / 1_000.0),
            if count == 0 { "not told".into() } else { format!("{:.0}", spread.median) },
            if count == 0 { "–".into() } else { format!("{:.0} – {:.0} of {count}", spread.min, spread.max) },
        ]);
        data.push(
            json!({ "component": component, "bytes": bytes, "instantiation_us": spread.json(), "instances": count }),
        );
    }
    let header = ["component", "size (KB)", "instantiation (µs)", "min – max"].map(str::to_owned);
    let mut section = Section::new("Components", header.to_vec(), rows);
    section.data(json!(data));
    report.section(section);
    Ok(())
}
