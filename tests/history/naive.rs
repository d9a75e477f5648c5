//! The history must be able to fail: a build that only deletes after its statement, as cache-aside is usually written.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::cluster::{Cluster, Options};
use crate::history::{brisk, furnish, read_leases, tenants, with_clients};
use crate::key::Fault;
use crate::proxy::Catch;
use crate::random::seed;
use crate::report;
use crate::run::Run;
use crate::servers;

/// By then it must have been caught; it usually is within a second.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the real build has to stand the same.
const STANDS: Duration = Duration::from_secs(8);
/// How late what a leader has read reaches Redis.
const LATE: Duration = Duration::from_millis(15);
const CLIENTS: usize = 12;
const WRITES_PERMILLE: u64 = 150;

/// The trial. The same load with the same delays goes to both builds, so that it is the fence that makes the difference.
pub fn a_build_without_the_fence_is_caught() -> Result<()> {
    is_caught(&brisk(), "without-fence")
}

/// The same for writes that do not wait for read leases.
pub fn a_build_without_the_wait_for_read_leases_is_caught() -> Result<()> {
    is_caught(&[brisk(), read_leases()].concat(), "without-read-lease-wait")
}

fn is_caught(variables: &[(&'static str, String)], feature: &str) -> Result<()> {
    let real = load(variables, None, STANDS)?;
    report::print(&real, &BTreeMap::new(), None);
    report::ensure_clean(&real).context("the real build under the same load")?;
    let manifest = harness::naive::manifest(&servers::scratch("manifest")?, &["writes"], feature)?;
    let naive = load(variables, Some(manifest), PATIENCE)?;
    let caught = old_answers(&naive);
    let time = naive.elapsed().as_secs_f64();
    println!("\n{feature}, {time:.1} s: {caught} old answers, the first of them\n{}", naive.told().concat());
    ensure!(caught > 0, "the build {feature} passed");
    Ok(())
}

fn old_answers(run: &Run) -> u64 {
    run.found(Fault::Stale) + run.found(Fault::WentBack)
}

/// Loads a build until it is caught, or for this long.
fn load(variables: &[(&'static str, String)], manifest: Option<PathBuf>, patience: Duration) -> Result<Run> {
    let seed = seed();
    let cluster = Cluster::start(&Options { variables: variables.to_vec(), manifest, ..Options::default() }, seed)?;
    let fill = cluster.hash_of(FILL)?;
    for node in &cluster.nodes {
        node.redis.watch(&fill, Catch::Delay(LATE));
    }
    let run = Run::new(Arc::clone(&cluster), tenants(1)?, seed);
    furnish(&run)?;
    with_clients(&run, CLIENTS, WRITES_PERMILLE, || {
        let begun = Instant::now();
        while begun.elapsed() < patience && old_answers(&run) < 10 {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    cluster.stop()?;
    Ok(run)
}

/// With which a leader stores what it has read.
const FILL: &str = include_str!("../../components/shared/cache/src/redis/scripts/fill.lua");
