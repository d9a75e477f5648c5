//! The history must be able to fail: a build that only deletes after its statement, as cache-aside is usually written.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::cluster::{Cluster, Options};
use crate::history::{brisk, furnish, tenants, with_clients};
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
    let real = load(None, STANDS)?;
    report::print(&real, &BTreeMap::new(), None);
    report::ensure_clean(&real).context("the real build under the same load")?;
    let manifest = servers::manifest_with("writes", &naive_component("writes", "without-fence")?)?;
    let naive = load(Some(manifest), PATIENCE)?;
    let caught = old_answers(&naive);
    let time = naive.elapsed().as_secs_f64();
    println!("\nwithout the fence, {time:.1} s: {caught} old answers, the first of them\n{}", naive.told().concat());
    ensure!(caught > 0, "the build without the fence passed");
    Ok(())
}

fn old_answers(run: &Run) -> u64 {
    run.found(Fault::Stale) + run.found(Fault::WentBack)
}

/// Loads a build until it is caught, or for this long.
fn load(manifest: Option<PathBuf>, patience: Duration) -> Result<Run> {
    let seed = seed();
    let cluster = Cluster::start(&Options { variables: brisk(), manifest, ..Options::default() }, seed)?;
    for node in &cluster.nodes {
        node.redis.watch(fill_text(), Catch::Delay(LATE));
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

/// The first line of the script with which a leader stores what it has read.
fn fill_text() -> &'static str {
    let source = include_str!("../../components/shared/cache/src/redis/scripts/fill.lua");
    source.lines().next().unwrap_or(source)
}

/// A component without a part of the protocol: `RENTTRACKER_NAIVE_…` (`WRITES`, `PROPERTY_READS`), or built now, beside the
/// real ones.
pub fn naive_component(name: &str, feature: &str) -> Result<PathBuf> {
    let file = name.replace('-', "_");
    if let Some(path) = std::env::var_os(format!("RENTTRACKER_NAIVE_{}", file.to_uppercase())) {
        return Ok(path.into());
    }
    let target = stack::repository_root().join("target/naive");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(stack::repository_root()).args(["build", "--quiet", "--release", "--target", "wasm32-wasip2"]);
    cargo.args(["--package", name, "--features", feature, "--target-dir"]).arg(&target);
    // Sooner by minutes; its speed makes no difference to what it does wrong.
    cargo.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    let built = cargo.status().context("cargo cannot be started")?;
    ensure!(built.success(), "the build {feature} cannot be built");
    Ok(target.join(format!("wasm32-wasip2/release/{file}.wasm")))
}
