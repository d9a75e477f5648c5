//! `cargo xtask deploy drill`: the guide for one machine, carried out. A release goes on while landlords are at work, and back.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use load_plan::Plan;
use serde::Serialize;
use stack::Runtime;

use super::guide;
use super::machine::Machine;
use super::witness::Witness;
use crate::demo;
use crate::http::Client;
use crate::load::{self, Generator, Profile};
use crate::report::Report;
use crate::shell::{check_interrupted, say};
use crate::tools::CURL;

/// Within which the release before must serve again, from the cache and with Redis as it was.
const OBJECTIVE: Duration = Duration::from_secs(5 * 60);
const PROPERTIES: u32 = 20;
/// The chapter that is carried out.
const CHAPTER: &str = "One machine";
const A: &str = "v1";
const B: &str = "v2";
/// How one sees that B serves: its manifest lets pages of this origin read.
const B_ORIGIN: &str = "https://next.renttracker.example";
/// What B's migration adds, as an expanding one does.
const B_MIGRATION: &str = "-- A release's drill.\nALTER TABLE properties ADD COLUMN energy_rating text;\n";
const A_MEMORY: &str = "maxmemory 2gb";
const B_MEMORY: &str = "maxmemory 1gb";
const B_VARIABLE: &str = "SPIN_VARIABLE_REDIS_DEFAULT_TIMEOUT_MINUTES=5\n";
/// The load: light, so that what fails does so for the deployment.
const RATE: u32 = 20;
const AFTERWARDS: Duration = Duration::from_secs(3);

/// A rollback that came to its end.
#[derive(Serialize)]
pub struct RolledBack {
    /// From its beginning until the release before answered.
    answered_seconds: f64,
    /// Until the cache was used, with Redis as it was.
    recovered_seconds: f64,
    objective_seconds: u64,
    /// Reads that a landlord made meanwhile, none of which was older than what had been answered before.
    reads: u64,
    /// What the load sent from the first to the last, and what of it failed: none after the rollback.
    requests: u64,
    failed: u64,
}

impl fmt::Display for RolledBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RolledBack { answered_seconds, recovered_seconds, objective_seconds, reads, requests, failed } = self;
        write!(
            f,
            "{A} answered again {answered_seconds:.1} s after the rollback began, and the cache was used with Redis as it was \
             after {recovered_seconds:.1} s (objective: {objective_seconds} s). No read of {reads} was older than what had been \
             answered before; of {requests} requests from the first to the last, {failed} failed, none of them after the rollback"
        )
    }
}

impl Report for RolledBack {
    fn verdict(self) -> Result<()> {
        let is_met = self.recovered_seconds < self.objective_seconds as f64;
        ensure!(is_met, "the rollback took longer than the objective");
        Ok(())
    }
}

/// Carries the guide out: A serves, a snapshot is taken, B goes on with another configuration of Redis, and A comes back.
pub fn rehearse(runtime: Runtime, breaker_reset: u32) -> Result<RolledBack> {
    CURL.ensure()?;
    let generator = Generator::built(Profile::Debug)?;
    let mut machine = Machine::installed(runtime, PROPERTIES, &[("breaker_reset_seconds", breaker_reset.to_string())])?;
    let (checkout_a, checkout_b) = (stack::repository_root(), next_release(&machine)?);
    let variables = machine.path("etc/renttracker/renttracker.env");
    let variables_of_a = std::fs::read_to_string(&variables)?;

    say(format!("{A} goes on"));
    for step in ["a release: its files", "a release: start it"] {
        machine.carry_out(&guide::block(CHAPTER, step)?, &checkout_a, A, "none")?;
    }
    let token = machine.servers.token(demo::TENANTS[0], None)?;
    let client = Client::new(&machine.base_url(), &token);
    let paths = paths(&client)?;
    let [written, read] = [&paths[0], &paths[1]];
    let out = machine.servers.folder().join("load");
    let plan = Plan { rate: RATE, out: Some(out.clone()), ..load::plan(&machine.base_url(), &token) };
    let meanwhile = Plan { duration: load_plan::MAX_DURATION, allow_failures: true, ..plan.clone() };
    let load = generator.start(meanwhile)?;
    let mut witness = Witness::start(client.clone(), written.clone());
    witness.sees_more()?;
    ensure!(!client.admits(B_ORIGIN)?, "{A} answers as {B}");

    say(format!("the snapshot, and {B} goes on, with another configuration of Redis"));
    machine.carry_out(&guide::block(CHAPTER, "before")?, &checkout_a, B, A)?;
    std::fs::write(&variables, variables_of_a.clone() + B_VARIABLE)?;
    for step in ["a release: its files", "a release: start it", "a release: Redis's configuration"] {
        machine.carry_out(&guide::block(CHAPTER, step)?, &checkout_b, B, A)?;
    }
    ensure!(client.admits(B_ORIGIN)?, "{B} does not serve");
    ensure!(memory(&machine)? == 1 << 30, "Redis has not taken its new configuration");
    witness.sees_more()?;

    say(format!("{B} is rolled back"));
    let began = Instant::now();
    machine.carry_out(&guide::block(CHAPTER, "back: the application")?, &checkout_a, B, A)?;
    let answered = began.elapsed();
    ensure!(!client.admits(B_ORIGIN)?, "{B} still serves");
    machine.carry_out(&guide::block(CHAPTER, "back: Redis's configuration")?, &checkout_a, B, A)?;
    await_hit(&client, read, began)?;
    let recovered = began.elapsed();
    let failed = witness.seen().failed;

    ensure!(memory(&machine)? == 2 << 30, "Redis's configuration did not come back");
    ensure!(std::fs::read_to_string(&variables)? == variables_of_a, "the variables did not come back");
    let pending = stack::migrate(&machine.servers.database_url())?;
    ensure!(pending.is_empty(), "{A} takes the schema of {B} for one that lacks {pending:?}");
    let afterwards = Plan { duration: AFTERWARDS, out: Some(machine.servers.folder().join("after")), ..plan };
    crate::shell::output(&mut generator.command(afterwards)?).context("a request failed after the rollback")?;
    witness.sees_more()?;
    ensure!(witness.seen().failed == failed, "a landlord was not answered after the rollback");
    witness.end()?;
    load.interrupt()?;
    let (requests, _, failed, _) = load::counts(&out)?;
    Ok(RolledBack {
        answered_seconds: answered.as_secs_f64(),
        recovered_seconds: recovered.as_secs_f64(),
        objective_seconds: OBJECTIVE.as_secs(),
        reads: witness.seen().reads,
        requests,
        failed,
    })
}

/// A checkout of the release after this one: the same components, another manifest, a migration more, another Redis.
fn next_release(machine: &Machine) -> Result<PathBuf> {
    let (root, checkout) = (stack::repository_root(), machine.servers.folder().join("checkout"));
    for (folder, extension) in [("target/wasm32-wasip2/release", "wasm"), ("infra/migrations", "sql")] {
        copy(&root.join(folder), &checkout.join(folder), extension)?;
    }
    std::fs::write(checkout.join("infra/migrations/9999_next.sql"), B_MIGRATION)?;
    let manifest = std::fs::read_to_string(root.join("spin.toml"))?;
    let origins = manifest.lines().find(|line| line.starts_with("cors_allowed_origins"));
    let origins = origins.context("spin.toml has no cors_allowed_origins")?;
    let changed = format!("cors_allowed_origins = {{ default = \"{B_ORIGIN}\" }}");
    std::fs::write(checkout.join("spin.toml"), manifest.replace(origins, &changed))?;
    let redis = std::fs::read_to_string(machine.path("etc/redis/redis.conf"))?;
    ensure!(redis.contains(A_MEMORY), "redis.conf no longer says {A_MEMORY}");
    std::fs::create_dir_all(checkout.join("infra/redis"))?;
    std::fs::write(checkout.join("infra/redis/redis.conf"), redis.replace(A_MEMORY, B_MEMORY))?;
    Ok(checkout)
}

fn copy(from: &Path, to: &Path, extension: &str) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|its| its == extension) {
            std::fs::copy(&path, to.join(path.file_name().unwrap_or_default()))?;
        }
    }
    Ok(())
}

/// The paths of the landlord's properties.
fn paths(client: &Client) -> Result<Vec<String>> {
    let page = client.get(&format!("/api/properties?pageSize={PROPERTIES}"))?.body;
    let items = page["items"].as_array().context("no properties")?;
    let paths: Vec<String> =
        items.iter().filter_map(|item| Some(format!("/api/properties/{}", item["id"].as_str()?))).collect();
    ensure!(paths.len() > 1, "there are too few properties");
    Ok(paths)
}

/// How much memory Redis may take, in bytes.
fn memory(machine: &Machine) -> Result<u64> {
    let info = machine.servers.redis.info("memory")?;
    let line = info.lines().find_map(|line| line.trim_end().strip_prefix("maxmemory:"));
    line.and_then(|bytes| bytes.parse().ok()).context("Redis does not tell its maxmemory")
}

/// Reads until it is the cache that answers.
fn await_hit(client: &Client, path: &str, began: Instant) -> Result<()> {
    while client.get(path)?.cache != "hit" {
        check_interrupted()?;
        ensure!(began.elapsed() < OBJECTIVE, "the cache was not used within {} s", OBJECTIVE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report;

    #[test]
    fn a_rollback_that_takes_longer_than_the_objective_fails() {
        let rolled_back = |recovered_seconds| RolledBack {
            answered_seconds: 0.5,
            recovered_seconds,
            objective_seconds: 300,
            reads: 40,
            requests: 90,
            failed: 2,
        };
        let expected = json!({
            "answered_seconds": 0.5, "recovered_seconds": 1.25, "objective_seconds": 300, "reads": 40, "requests": 90,
            "failed": 2,
        });
        report::tests::check("deploy drill", &rolled_back(1.25), expected);
        rolled_back(1.25).verdict().expect("in time");
        assert!(rolled_back(300.0).verdict().is_err());
    }
}
