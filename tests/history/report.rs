//! What a run says at its end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};

use crate::faults;
use crate::key::Fault;
use crate::run::Run;

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::SeqCst)
}

fn reads(run: &Run) -> u64 {
    count(&run.counters.singles) + count(&run.counters.lists)
}

/// How many of a hundred reads were hits.
pub fn share_of_hits(run: &Run) -> u64 {
    count(&run.counters.hits) * 100 / reads(run).max(1)
}

/// Prints the summary, and in full what should not be there.
pub fn print(run: &Run, fired: &BTreeMap<faults::Fault, u64>, lost: Option<u64>) {
    let counters = &run.counters;
    let line = |name: &str, value: String| println!("  {name:<44} {value:>12}");
    let seconds = run.elapsed().as_secs();
    println!("\nhistory: {seconds} s, seed {}", run.seed);
    line("reads checked", reads(run).to_string());
    line("  of one / of a page", format!("{} / {}", count(&counters.singles), count(&counters.lists)));
    line("versions judged", count(&counters.judged).to_string());
    line("stale reads", run.found(Fault::Stale).to_string());
    line("went-back reads", run.found(Fault::WentBack).to_string());
    line("reads behind another client's", run.found(Fault::Reordered).to_string());
    let others = [Fault::Future, Fault::Twice, Fault::Mixed];
    line("impossible answers", others.iter().map(|fault| run.found(*fault)).sum::<u64>().to_string());
    line("writes acknowledged", count(&counters.writes).to_string());
    line("writes with an unknown outcome", count(&counters.unknown).to_string());
    line("writes lost", lost.map_or_else(|| "not checked".into(), |lost| lost.to_string()));
    line("failed requests", run.failed().to_string());
    line("requests to a host as it was killed", count(&counters.excused).to_string());
    line("hits", format!("{} ({} %)", count(&counters.hits), share_of_hits(run)));
    line("answered under a read lease", count(&counters.leases).to_string());
    line("misses stored / not stored", format!("{} / {}", count(&counters.stored), count(&counters.misses)));
    line("collapsed", count(&counters.collapsed).to_string());
    line("bypasses", count(&counters.bypasses).to_string());
    line("slowest read / write, ms", {
        let (read, write) = (count(&counters.slowest_read), count(&counters.slowest_write));
        format!("{} / {}", read / 1_000, write / 1_000)
    });
    for fault in faults::Fault::ALL {
        if let Some(times) = fired.get(&fault) {
            line(fault.name(), times.to_string());
        }
    }
    let told = run.told();
    if !told.is_empty() {
        println!("\n{}\nthe faults:\n{}", told.join("\n"), run.timeline());
    }
}

/// Nothing may have been found.
pub fn ensure_clean(run: &Run) -> Result<()> {
    for fault in [Fault::Stale, Fault::WentBack, Fault::Reordered, Fault::Future, Fault::Twice, Fault::Mixed] {
        let found = run.found(fault);
        ensure!(found == 0, "{found} answers are {fault:?}; seed {}", run.seed);
    }
    ensure!(run.failed() == 0, "{} requests failed; seed {}", run.failed(), run.seed);
    Ok(())
}
