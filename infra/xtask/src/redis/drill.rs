//! `cargo xtask redis drill`: the whole round on servers of its own.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::json;
use stack::{Host, Runtime};

use super::backup::Backup;
use super::restore::Restore;
use super::server::Address;
use crate::demo;
use crate::http::Client;
use crate::report::Report;
use crate::scene::Servers;
use crate::shell::{check_interrupted, say};

/// Within which the cache must be used again after Redis and its data are lost.
const OBJECTIVE: Duration = Duration::from_secs(5 * 60);
const PROPERTIES: u32 = 50;
const KEEP_DAYS: u32 = 7;

/// What the drill works on.
struct Scene {
    _host: Host,
    servers: Servers,
    client: Client,
    /// The paths of the landlord's properties.
    paths: Vec<String>,
}

/// A Redis that was lost and came back from its backup.
#[derive(Serialize)]
pub struct Recovered {
    /// How many came back, none of which was served.
    keys: u64,
    /// From the loss until Redis answered.
    answered_seconds: f64,
    /// Until the cache was used.
    recovered_seconds: f64,
    objective_seconds: u64,
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Recovered { keys, answered_seconds, recovered_seconds, objective_seconds } = self;
        write!(
            f,
            "{keys} keys came back, none of them was served; Redis answered {answered_seconds:.1} s after it was lost and the \
             cache was used after {recovered_seconds:.1} s (objective: {objective_seconds} s)"
        )
    }
}

impl Report for Recovered {
    fn verdict(self) -> Result<()> {
        let is_met = self.recovered_seconds < self.objective_seconds as f64;
        ensure!(is_met, "recovery took longer than the objective");
        Ok(())
    }
}

/// Takes a backup of a Redis in use, loses it, restores it, and holds what is answered against what was written since.
pub fn rehearse(runtime: Runtime, breaker_reset: u32) -> Result<Recovered> {
    let mut scene = set(runtime, breaker_reset)?;
    say("filling the cache and taking a backup");
    for path in &scene.paths {
        scene.client.get(path)?;
    }
    let sure = |path: &String| Ok::<_, anyhow::Error>(scene.client.get(path)?.cache == "hit");
    ensure!(scene.paths.iter().map(sure).collect::<Result<Vec<_>>>()?.contains(&true), "the cache is not used");
    let backup = Backup {
        redis: Address::loopback(scene.servers.redis.port())?,
        folder: scene.servers.folder().join("backups"),
        keep: KEEP_DAYS,
        from_master: false,
    };
    let backup = backup.take(SystemTime::now())?.backup.context("there was nothing to back up")?;

    // Written, answered and in no backup.
    let changed = scene.paths.first().context("a property")?.clone();
    scene.client.put(&changed, &json!({ "address": "2 After The Backup Street" }))?;
    check_interrupted()?;

    say("losing Redis and its data");
    let lost = Instant::now();
    scene.servers.redis.kill();
    let data = scene.servers.redis.dir().to_owned();
    for name in ["appendonlydir", "dump.rdb"] {
        let path = data.join(name);
        let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
    ensure!(
        scene.client.get(&changed)?.body["address"] == "2 After The Backup Street",
        "an old value while it is gone"
    );
    Restore { backup, data }.run()?;
    scene.servers.redis.restart().context("Redis does not start with what was restored")?;
    let restored = Address::loopback(scene.servers.redis.port())?.keys()?;
    let loaded = lost.elapsed();
    ensure!(restored > 0, "Redis started without what was restored");

    say("waiting until the cache is used");
    let stored = first_stored(&scene, &changed, lost)?;
    let recovered = lost.elapsed();
    for path in scene.paths.iter().filter(|path| **path != stored) {
        let first = scene.client.get(path)?;
        ensure!(first.cache != "hit", "{path} was answered from the backup");
        let expected = scene.client.get(path)?;
        ensure!(first.body == expected.body, "{path} is answered in two ways");
    }
    ensure!(scene.client.get(&changed)?.body["address"] == "2 After The Backup Street", "the old value was served");
    Ok(Recovered {
        keys: restored,
        answered_seconds: loaded.as_secs_f64(),
        recovered_seconds: recovered.as_secs_f64(),
        objective_seconds: OBJECTIVE.as_secs(),
    })
}

/// Reads one thing after another until something is stored: the path of that.
fn first_stored(scene: &Scene, changed: &str, lost: Instant) -> Result<String> {
    for path in scene.paths.iter().cycle() {
        check_interrupted()?;
        ensure!(lost.elapsed() < OBJECTIVE, "the cache was not used within {} s", OBJECTIVE.as_secs());
        let answer = scene.client.get(path)?;
        ensure!(answer.cache != "hit", "{path} was answered from the backup");
        let is_old = path == changed && answer.body["address"] != "2 After The Backup Street";
        ensure!(!is_old, "the old value was served");
        if answer.cache.ends_with("stored") {
            return Ok(path.clone());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    anyhow::bail!("there are no properties")
}

fn set(runtime: Runtime, breaker_reset: u32) -> Result<Scene> {
    say("starting Redis as in production, PostgreSQL and a host");
    let servers = Servers::start(PROPERTIES)?;
    let host = servers.serve(runtime, [("breaker_reset_seconds".into(), breaker_reset.to_string())].into())?;
    let client = Client::new(host.base_url(), &servers.token(demo::TENANTS[0], None)?);
    let page = client.get(&format!("/api/properties?pageSize={PROPERTIES}"))?.body;
    let items = page["items"].as_array().context("no properties")?;
    let paths = items.iter().filter_map(|item| Some(format!("/api/properties/{}", item["id"].as_str()?))).collect();
    Ok(Scene { _host: host, servers, client, paths })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report;

    #[test]
    fn a_recovery_that_takes_longer_than_the_objective_fails() {
        let recovered =
            |recovered_seconds| Recovered { keys: 9, answered_seconds: 0.5, recovered_seconds, objective_seconds: 300 };
        let expected =
            json!({ "keys": 9, "answered_seconds": 0.5, "recovered_seconds": 1.25, "objective_seconds": 300 });
        report::tests::check("redis drill", &recovered(1.25), expected);
        recovered(1.25).verdict().expect("in time");
        assert!(recovered(300.0).verdict().is_err());
    }
}
