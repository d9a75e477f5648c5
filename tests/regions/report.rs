//! What a run says at its end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};
use harness::regions::Fault;

use crate::faults::Kind;
use crate::run::Run;
use crate::stage::REGIONS;

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::SeqCst)
}

/// How many of a hundred reads in a region were hits.
pub fn share_of_hits(run: &Run, region: usize) -> u64 {
    run.hits(region) * 100 / count(&run.counters.reads[region]).max(1)
}

/// Prints the summary, and in full what should not be there.
pub fn print(run: &Run, fired: &BTreeMap<Kind, u64>, lost: Option<u64>) {
    let counters = &run.counters;
    let line = |name: &str, value: String| println!("  {name:<44} {value:>16}");
    let (seconds, reads) = (run.elapsed().as_secs(), counters.reads.iter().map(count).sum::<u64>());
    println!("\nregions: {seconds} s, seed {}", run.seed);
    line("reads checked", format!("{reads} ({}/s)", reads / seconds.max(1)));
    line("  of a page / of a session that hops", format!("{} / {}", count(&counters.lists), count(&counters.hops)));
    line("versions judged", count(&counters.judged).to_string());
    for (region, name) in REGIONS.iter().enumerate() {
        line(&format!("hits in {name}"), format!("{} ({} %)", run.hits(region), share_of_hits(run, region)));
    }
    for (region, name) in run.stage.regions.iter().zip(REGIONS) {
        let count = run.stage.near_statements(region).map_or_else(|error| error.to_string(), |count| count.to_string());
        line(&format!("statements at the standby of {name}"), count);
    }
    line("stale within a region", run.found(Fault::Stale).to_string());
    line("beyond the bound", run.found(Fault::BeyondTheBound).to_string());
    line("sessions that went back", run.found(Fault::WentBack).to_string());
    line("never written", (run.found(Fault::NeverWritten) + run.found(Fault::Twice)).to_string());
    line("writes acknowledged", count(&counters.writes).to_string());
    line("writes with an unknown outcome", count(&counters.unknown).to_string());
    line("writes lost", lost.map_or_else(|| "not checked".into(), |lost| lost.to_string()));
    line("failed requests", run.failed().to_string());
    line("answered 503 by a fault", count(&counters.unavailable).to_string());
    line("requests to a host as it was killed", count(&counters.excused).to_string());
    println!("  {:<44} {:>16} {:>12}", "fault", "oldest read, ms", "fired");
    for (name, oldest) in run.oldest() {
        let times = Kind::ALL.iter().find(|kind| kind.name() == name).and_then(|kind| fired.get(kind));
        println!("  {name:<44} {oldest:>16.0} {:>12}", times.map_or_else(String::new, u64::to_string));
    }
    let told = run.told();
    if !told.is_empty() {
        println!("\n{}\nthe faults:\n{}", told.join("\n"), run.told_timeline());
    }
}

/// Nothing may have been found.
pub fn ensure_clean(run: &Run) -> Result<()> {
    for fault in Fault::ALL {
        let found = run.found(fault);
        ensure!(found == 0, "{found} answers are {fault:?}; seed {}", run.seed);
    }
    ensure!(run.failed() == 0, "{} requests failed; seed {}", run.failed(), run.seed);
    Ok(())
}
