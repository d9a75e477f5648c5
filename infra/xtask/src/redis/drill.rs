//! `cargo xtask redis drill`: the whole round on servers of its own.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use stack::{Host, Runtime};

use super::backup::Backup;
use super::restore::Restore;
use super::server::Address;
use crate::demo;
use crate::http::Client;
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

/// Takes a backup of a Redis in use, loses it, restores it, and holds what is answered against what was written since.
pub fn rehearse(runtime: Runtime, breaker_reset: u32) -> Result<()> {
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
    let backup = backup.take(SystemTime::now())?.context("there was nothing to back up")?;

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
    let tenths = |time: Duration| format!("{}.{} s", time.as_secs(), time.subsec_millis() / 100);
    say(format!(
        "{restored} keys came back, none of them was served; Redis answered {} after it was lost and the cache was used \
         after {} (objective: {} s)",
        tenths(loaded),
        tenths(recovered),
        OBJECTIVE.as_secs()
    ));
    ensure!(recovered < OBJECTIVE, "recovery took longer than the objective");
    Ok(())
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
