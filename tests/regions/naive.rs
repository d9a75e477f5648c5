//! The history must be able to fail: builds without a part of the protocol, each under the fault that shows it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::proxy::Mode;
use harness::random::seed;
use harness::regions::Fault;

use crate::history::{begin, brisk, with_clients};
use crate::report;
use crate::run::Run;
use crate::stage::Stage;

/// By then it must have been caught; it usually is within seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the real build has to stand the same.
const STANDS: Duration = Duration::from_secs(8);
/// How many old answers are enough.
const ENOUGH: u64 = 5;
/// How late the standbys are, in milliseconds.
const STANDBY_DELAY: (u64, u64) = (100, 300);
/// How seldom a region reads the log then (a quarter of it): a standby mostly has all that the log had brought.
const RARE_LOOKS_MS: u64 = 8_000;
/// How long a region does not reach the primary: beyond the bound.
const CUT_OFF: Duration = Duration::from_secs(4);

/// Without the bound on the log lease, a region that does not reach the primary uses its cache on and on.
pub fn a_build_without_the_bound_is_caught() -> Result<()> {
    is_caught(&brisk(), &["property-reads"], "without-region-bound", Fault::BeyondTheBound, |run, found| {
        run.be_lenient(PATIENCE);
        let region = &run.stage.regions[0];
        while !found() {
            region.links().for_each(|link| link.set(Mode::Cut));
            std::thread::sleep(CUT_OFF);
            region.links().for_each(|link| link.set(Mode::Open));
            std::thread::sleep(CUT_OFF);
        }
    })
}

/// Without the look at the token, a session that hops reads what its new region has.
pub fn a_build_without_the_check_of_sessions_is_caught() -> Result<()> {
    is_caught(&brisk(), &["property-reads"], "without-session-check", Fault::WentBack, |_, found| wait(found))
}

/// Without the fence, a region stores again what its standby still has: one that has all that the region's log had brought, and not the
/// write that was just answered.
pub fn a_build_without_the_fence_is_caught() -> Result<()> {
    let mut variables = brisk();
    variables.push(("region_staleness_ms", RARE_LOOKS_MS.to_string()));
    is_caught(&variables, &["writes"], "without-fence", Fault::Stale, |run, found| {
        run.stage.regions.iter().for_each(|region| region.wal.delay_answers(STANDBY_DELAY));
        wait(found);
    })
}

fn wait(found: &dyn Fn() -> bool) {
    while !found() {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What is done to the regions until the second says that the fault was found often enough, or that the time is over.
type Load = fn(&Run, &dyn Fn() -> bool);

/// The same load goes to both builds, so that it is the part of the protocol that makes the difference.
fn is_caught(variables: &[(&str, String)], components: &[&str], feature: &str, fault: Fault, load: Load) -> Result<()> {
    let found = run(variables, None, fault, STANDS, load)?;
    ensure!(found == 0, "{found} answers of the real build are {fault:?} under the same load");
    let folder = tempfile::tempdir()?;
    let manifest = harness::naive::manifest(folder.path(), components, feature)?;
    let found = run(variables, Some(manifest), fault, PATIENCE, load)?;
    println!("\n{feature}: {found} answers are {fault:?}");
    ensure!(found > 0, "the build {feature} passed");
    Ok(())
}

/// How many answers of a build have this fault.
fn run(
    variables: &[(&str, String)],
    manifest: Option<PathBuf>,
    fault: Fault,
    patience: Duration,
    load: Load,
) -> Result<u64> {
    let stage = Stage::start(variables, manifest, seed())?;
    let run = begin(&stage)?;
    let begun = Instant::now();
    with_clients(&run, || load(&run, &|| run.found(fault) >= ENOUGH || begun.elapsed() >= patience));
    report::print(&run, &BTreeMap::new(), None);
    stage.stop()?;
    Ok(run.found(fault))
}
