//! How long the embedded host takes until it serves the five components: compiling all of them, and taking them as an earlier start
//! has compiled them.

use std::time::Instant;

use anyhow::Result;
use serde_json::json;
use stack::{Host, HostOptions};

use super::super::Size;
use crate::measure::Spread;
use crate::report::{Report, Section, Target};
use crate::stage::Stage;

/// Measures.
pub fn measure(stage: &Stage, size: &Size, report: &mut Report) -> Result<()> {
    let (database, manifest) = (stage.database("start")?, stage.runtime.manifest());
    let seconds = |start: &dyn Fn(HostOptions) -> Result<Host>| {
        let options = stage.api_options("start", &database)?;
        let began = Instant::now();
        let host = start(options)?;
        let taken = began.elapsed().as_secs_f64();
        drop(host);
        anyhow::Ok(taken)
    };
    let compiling = |options| Host::start_compiling(options, &manifest, &[]);
    let from_cache = |options| Host::start_with(options, &manifest, &[]);
    // Not counted: it leaves in the cache what the others take.
    seconds(&from_cache)?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..size.rounds {
        without.push(seconds(&compiling)?);
        with.push(seconds(&from_cache)?);
    }
    let ratio = Spread::of(with.iter().zip(&without).map(|(with, without)| with / without));
    let [without, with] = [without, with].map(Spread::of);
    let row = |name: &str, spread: Spread| {
        vec![name.to_owned(), format!("{:.2}", spread.median), format!("{:.2} – {:.2}", spread.min, spread.max)]
    };
    let rows = vec![row("without a compile cache", without), row("with --compile-cache, warm", with)];
    let header = ["start of the five components", "until it serves (s)", "min – max"].map(str::to_owned);
    let mut section = Section::new("Start", header.to_vec(), rows);
    section.data(json!({ "without_cache_s": without.json(), "warm_cache_s": with.json() }));
    report.section(section);
    report.target(Target::at_most("start with warm cache ÷ start without", 0.5, ratio));
    Ok(())
}
