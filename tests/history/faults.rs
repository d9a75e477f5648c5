//! The faults. Each is done, seen to have had its effect, and undone; only then does it count.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::cluster::{HOSTS, Node};
use crate::proxy::{Catch, Mode};
use crate::random::Random;
use crate::run::Run;

/// The deadline of the hosts for Redis, in milliseconds.
pub const REDIS_TIMEOUT_MS: u64 = 100;

/// What is thrown at the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Redis gets a SIGKILL, and comes back empty on the same port.
    RedisKilled,
    /// Redis gets a SIGSTOP, and wakes with all its entries.
    RedisStopped,
    /// Redis closes all its clients' connections.
    ConnectionsCut,
    /// Redis gets a SIGKILL, and comes back with the data of some time ago.
    RedisRestored,
    /// One host loses Redis, and the others keep it.
    HostCut,
    /// What one host sends to Redis arrives late, and so do the answers.
    HostStalled,
    /// All answers of Redis are later than the deadline.
    AnswersDelayed,
    /// A host gets a SIGKILL between its statement and its unfence.
    HostKilled,
    /// A host gets a SIGSTOP and goes on where it was.
    HostStopped,
}

impl Fault {
    /// All of them, in the order of the first round.
    pub const ALL: [Fault; 9] = [
        Fault::HostCut,
        Fault::RedisStopped,
        Fault::HostKilled,
        Fault::RedisRestored,
        Fault::ConnectionsCut,
        Fault::AnswersDelayed,
        Fault::RedisKilled,
        Fault::HostStalled,
        Fault::HostStopped,
    ];

    /// As the report names it.
    pub fn name(self) -> &'static str {
        match self {
            Fault::RedisKilled => "Redis killed, back empty",
            Fault::RedisStopped => "Redis stopped, back with its entries",
            Fault::ConnectionsCut => "Redis closed its connections",
            Fault::RedisRestored => "Redis killed, back from an older snapshot",
            Fault::HostCut => "one host cut from Redis",
            Fault::HostStalled => "one host's commands late",
            Fault::AnswersDelayed => "Redis's answers later than the deadline",
            Fault::HostKilled => "host killed between statement and unfence",
            Fault::HostStopped => "host stopped",
        }
    }

    /// Does it and undoes it. Whether it was seen to have had its effect.
    pub fn inflict(self, run: &Run, random: &mut Random) -> Result<bool> {
        match self {
            Fault::RedisKilled => redis_killed(run, random),
            Fault::RedisStopped => redis_stopped(run, random),
            Fault::ConnectionsCut => connections_cut(run),
            Fault::RedisRestored => redis_restored(run, random),
            Fault::HostCut => host_cut(run, random),
            Fault::HostStalled => host_stalled(run, random),
            Fault::AnswersDelayed => answers_delayed(run, random),
            Fault::HostKilled => host_killed(run, random),
            Fault::HostStopped => host_stopped(run, random),
        }
    }
}

fn any_node<'a>(run: &'a Run, random: &mut Random) -> &'a Arc<Node> {
    &run.cluster.nodes[random.index(HOSTS)]
}

fn dump(run: &Run) -> Result<PathBuf> {
    let folder: (String, String) =
        redis::cmd("CONFIG").arg("GET").arg("dir").query(&mut run.cluster.redis_connection()?)?;
    Ok(PathBuf::from(folder.1).join("dump.rdb"))
}

/// The state of a process as the kernel tells it; `None` when there is none.
fn state(pid: u32) -> Option<char> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.trim_start().chars().next()
}

/// Whether a process stops that was told to: the kernel tells it at the next interrupt of its processor.
fn stops(pid: u32) -> bool {
    let begun = Instant::now();
    while state(pid) != Some('T') {
        if begun.elapsed() > Duration::from_secs(1) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

fn writes(run: &Run) -> u64 {
    run.counters.writes.load(Ordering::SeqCst)
}

/// Waits until so many more writes have been answered.
fn await_writes(run: &Run, more: u64) -> Result<()> {
    let (begun, enough) = (Instant::now(), writes(run) + more);
    while writes(run) < enough {
        ensure!(begun.elapsed() < Duration::from_secs(20), "no writes are answered");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn redis_killed(run: &Run, random: &mut Random) -> Result<bool> {
    let dump = dump(run)?;
    let mut redis = run.cluster.redis();
    let pid = redis.pid();
    redis.kill();
    let is_gone = state(pid).is_none();
    let _ = std::fs::remove_file(dump);
    std::thread::sleep(random.millis(50..=1_500));
    redis.restart()?;
    Ok(is_gone && redis.pid() != pid)
}

fn redis_stopped(run: &Run, random: &mut Random) -> Result<bool> {
    let redis = run.cluster.redis();
    redis.pause();
    let is_stopped = stops(redis.pid());
    std::thread::sleep(random.millis(2 * REDIS_TIMEOUT_MS..=2_500));
    let awaited = await_writes(run, 5);
    redis.resume();
    awaited?;
    Ok(is_stopped)
}

fn connections_cut(run: &Run) -> Result<bool> {
    let mut connection = run.cluster.redis_connection()?;
    let cut: u64 = redis::cmd("CLIENT").arg(&["KILL", "TYPE", "normal"]).query(&mut connection)?;
    Ok(cut > 0)
}

/// The versions of the single entries that are in the cache now: bytes 19 to 27 of an entry (see `envelope.rs`).
fn cached_versions(run: &Run) -> Result<Vec<(usize, String, u64)>> {
    let mut connection = run.cluster.redis_connection()?;
    let mut found = Vec::new();
    for (number, tenant) in run.tenants.iter().enumerate() {
        for property in tenant.properties() {
            let key = format!("RentTracker_{}:property:{}", tenant.id, property.key.id);
            let value: Option<Vec<u8>> = redis::cmd("GET").arg(key).query(&mut connection)?;
            let version = value.as_deref().and_then(|value| value.get(19..27)?.try_into().ok());
            found.extend(version.map(|bytes| (number, property.key.id.clone(), u64::from_le_bytes(bytes))));
        }
    }
    Ok(found)
}

fn redis_restored(run: &Run, random: &mut Random) -> Result<bool> {
    let dump = dump(run)?;
    let copy = dump.with_extension("kept");
    let in_snapshot = cached_versions(run)?;
    redis::cmd("SAVE").query::<()>(&mut run.cluster.redis_connection()?)?;
    std::fs::copy(&dump, &copy).context("the snapshot")?;
    await_writes(run, 30)?;
    std::thread::sleep(random.millis(0..=300));
    let is_outdated = |(tenant, id, version): &&(usize, String, u64)| {
        let key = run.tenants[*tenant].known(id);
        key.is_some_and(|key| key.floor().answered > *version)
    };
    let outdated = in_snapshot.iter().filter(is_outdated).count();
    let mut redis = run.cluster.redis();
    let pid = redis.pid();
    redis.kill();
    let is_gone = state(pid).is_none();
    std::fs::rename(&copy, &dump).context("the snapshot")?;
    std::thread::sleep(random.millis(0..=500));
    redis.restart()?;
    drop(redis);
    let restored: u64 = redis::cmd("DBSIZE").query(&mut run.cluster.redis_connection()?)?;
    // The next restart shall find an empty one.
    std::fs::remove_file(&dump).context("the snapshot")?;
    run.phase(format!("restored: {restored} keys, {outdated} of them outdated entries of properties"));
    Ok(is_gone && restored > 0 && outdated > 0)
}

fn host_cut(run: &Run, random: &mut Random) -> Result<bool> {
    let link = &any_node(run, random).redis;
    let happened = || link.counts.cut.load(Ordering::SeqCst) + link.counts.refused.load(Ordering::SeqCst);
    let before = happened();
    link.set(Mode::Cut);
    std::thread::sleep(random.millis(800..=3_000));
    let awaited = await_writes(run, 10);
    link.set(Mode::Open);
    awaited?;
    Ok(happened() > before)
}

fn host_stalled(run: &Run, random: &mut Random) -> Result<bool> {
    let link = &any_node(run, random).redis;
    let before = link.counts.stalled.load(Ordering::SeqCst);
    link.set(Mode::Stalled);
    std::thread::sleep(random.millis(2 * REDIS_TIMEOUT_MS..=2_000));
    link.set(Mode::Open);
    Ok(link.counts.stalled.load(Ordering::SeqCst) > before)
}

/// Sometimes far beyond the deadline, sometimes around it, so that some commands fail and others do not.
fn answers_delayed(run: &Run, random: &mut Random) -> Result<bool> {
    let range = if random.permille(500) { (120, 400) } else { (40, 160) };
    let delayed =
        || -> u64 { run.cluster.nodes.iter().map(|node| node.redis.counts.delayed.load(Ordering::SeqCst)).sum() };
    let before = delayed();
    for node in &run.cluster.nodes {
        node.redis.delay_answers(range);
    }
    std::thread::sleep(random.millis(500..=2_000));
    for node in &run.cluster.nodes {
        node.redis.delay_answers((0, 0));
    }
    Ok(delayed() > before)
}

/// What a write sends after its statement.
const UNFENCE: &str = include_str!("../../components/shared/cache/src/redis/scripts/unfence.lua");

fn host_killed(run: &Run, random: &mut Random) -> Result<bool> {
    let node = any_node(run, random);
    let before = node.redis.counts.caught.load(Ordering::SeqCst);
    let victim = Arc::clone(node);
    node.redis.watch(&run.cluster.hash_of(UNFENCE)?, Catch::Stop(Arc::new(move || victim.kill())));
    let begun = Instant::now();
    while node.address().0 != 0 && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
    }
    node.redis.unwatch();
    if node.address().0 != 0 {
        return Ok(false);
    }
    // What others write is in the outbox for a moment only: what stays is the write that was cut short.
    std::thread::sleep(Duration::from_millis(700));
    let left = "SELECT count(*) FROM cache_invalidations
        WHERE created_at BETWEEN clock_timestamp() - interval '13 seconds' AND clock_timestamp() - interval '500 milliseconds'";
    let left: i64 = run.cluster.database.connect()?.query_one(left, &[])?.get(0);
    std::thread::sleep(random.millis(0..=500));
    node.start()?;
    run.phase(format!("host started again; {left} rows had stayed in the outbox"));
    Ok(node.redis.counts.caught.load(Ordering::SeqCst) > before && left > 0)
}

fn host_stopped(run: &Run, random: &mut Random) -> Result<bool> {
    let node = any_node(run, random);
    let is_stopped = node.pause().is_some_and(stops);
    std::thread::sleep(random.millis(600..=2_000));
    node.resume();
    Ok(is_stopped)
}
