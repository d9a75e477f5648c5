//! A thousand requests at once for one thing that is not cached.

use anyhow::{Context, Result};
use serde_json::json;

use super::always;
use super::throughput::Shared;
use crate::counters::{READS, work};
use crate::load::{Limit, run};
use crate::measure::{Spread, histogram, millis};
use crate::report::{Report, Section, Target};
use crate::stage::Stage;

const REQUESTS: usize = 1_000;
const TIMES: usize = 5;

/// Measures.
pub fn measure(stage: &Stage, shared: &Shared, report: &mut Report) -> Result<()> {
    let mut client = shared.api.sql()?;
    let (mut rows, mut reads, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for time in 1..=TIMES {
        stage.cache()?.forget(&shared.api.instance, "reader-")?;
        let before = work(&mut client, READS)?;
        let next = always(shared.single.clone());
        let outcome = run(shared.api.address()?, REQUESTS, Limit::Requests(REQUESTS), next);
        let outcome = outcome.context("the stampede")?;
        let database = work(&mut client, READS)?.since(before).calls;
        let latencies = histogram(&outcome.answered)?;
        let [p50, p99, slowest] = [0.5, 0.99, 1.0].map(|p| millis(latencies.value_at_quantile(p)));
        rows.push(vec![
            time.to_string(),
            outcome.answered.len().to_string(),
            format!("{database}"),
            format!("{p50:.1}"),
            format!("{p99:.1}"),
            format!("{slowest:.1}"),
        ]);
        data.push(json!({ "database_reads": database, "p50_ms": p50, "p99_ms": p99, "max_ms": slowest }));
        reads.push(database);
    }
    let header = ["time", "answered", "database reads", "p50 (ms)", "p99 (ms)", "slowest (ms)"];
    let mut section =
        Section::new("Stampede: 1,000 clients at once, one cold key", header.map(str::to_owned).to_vec(), rows);
    section.data(json!(data));
    report.section(section);
    report.target(Target::at_most("stampede: reads of PostgreSQL", 1.0, Spread::of(reads)));
    Ok(())
}
