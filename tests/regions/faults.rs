//! The faults of a region. Each is done, seen to have had its effect, and undone; only then does it count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::proxy::{Catch, Link, Mode};
use harness::random::Random;

use crate::run::Run;
use crate::stage::{HOSTS, REGIONS, Region};

/// A statement of the component that reads the log has this text.
const LOG_READ: &str = "read_log(";
/// Longer than the bound, in milliseconds.
const BEYOND_THE_BOUND: std::ops::RangeInclusive<u64> = 1_300..=3_500;
/// How long behind a fault of the link to the primary a request may still be answered 503: connections are opened anew, and those
/// that hang are given up.
const AFTERMATH: Duration = Duration::from_secs(8);
/// For whoever is to read the log next.
const READER_PATIENCE: Duration = Duration::from_secs(20);

/// What is thrown at a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The standby gets nothing from the primary.
    WalCut,
    /// The standby lags by seconds.
    WalSlow,
    /// The primary is an ocean away, and the link is uneven.
    PrimarySlow,
    /// The hosts do not reach the primary.
    PrimaryCut,
    /// All connections to the primary are lost, again and again.
    ConnectionsLost,
    /// The Redis gets a SIGKILL, and comes back empty.
    RedisKilled,
    /// The Redis loses all that it has.
    RedisFlushed,
    /// A host gets a SIGKILL, and another takes its place.
    HostKilled,
    /// All hosts get a SIGKILL, and others take their place. The Redis keeps what it has.
    RegionLost,
    /// All hosts get a SIGSTOP for longer than the bound, and go on where they were.
    RegionStopped,
    /// All hosts get a SIGSTOP, and when they go on, the region has been dropped from the log.
    RegionDropped,
    /// The region is asked nothing for longer than the bound.
    RegionQuiet,
    /// The host that reads the log gets a SIGKILL as it does.
    ReaderKilled,
}

impl Kind {
    /// All of them, in the order of the first round.
    pub const ALL: [Kind; 13] = [
        Kind::WalCut,
        Kind::PrimaryCut,
        Kind::RegionStopped,
        Kind::WalSlow,
        Kind::RedisFlushed,
        Kind::ReaderKilled,
        Kind::PrimarySlow,
        Kind::RedisKilled,
        Kind::RegionQuiet,
        Kind::HostKilled,
        Kind::RegionDropped,
        Kind::ConnectionsLost,
        Kind::RegionLost,
    ];

    /// As the report names it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::WalCut => "standby cut from the primary",
            Kind::WalSlow => "standby seconds behind the primary",
            Kind::PrimarySlow => "80 to 140 ms to the primary",
            Kind::PrimaryCut => "hosts cut from the primary",
            Kind::ConnectionsLost => "connections to the primary lost",
            Kind::RedisKilled => "Redis killed, back empty",
            Kind::RedisFlushed => "Redis emptied",
            Kind::HostKilled => "host killed and replaced",
            Kind::RegionLost => "region lost, back with its Redis",
            Kind::RegionStopped => "region stopped beyond the bound",
            Kind::RegionDropped => "region dropped from the log",
            Kind::RegionQuiet => "region asked nothing beyond the bound",
            Kind::ReaderKilled => "reader of the log killed",
        }
    }

    /// Does it to a region and undoes it. Whether it was seen to have had its effect.
    pub fn inflict(self, run: &Run, number: usize, random: &mut Random) -> Result<bool> {
        let region = &run.stage.regions[number];
        match self {
            Kind::WalCut => wal_cut(run, region, random),
            Kind::WalSlow => wal_slow(run, region, random),
            Kind::PrimarySlow => primary_slow(run, region, random),
            Kind::PrimaryCut => primary_cut(run, region, random),
            Kind::ConnectionsLost => connections_lost(run, region, random),
            Kind::RedisKilled => redis_killed(region, random),
            Kind::RedisFlushed => redis_flushed(region),
            Kind::HostKilled => host_killed(region, random),
            Kind::RegionLost => region_lost(region, random),
            Kind::RegionStopped => region_stopped(region, random),
            Kind::RegionDropped => region_dropped(run, number, random),
            Kind::RegionQuiet => region_quiet(run, number, random),
            Kind::ReaderKilled => reader_killed(region),
        }
    }
}

fn total<'a>(links: impl Iterator<Item = &'a Arc<Link>>, count: impl Fn(&Link) -> &AtomicU64) -> u64 {
    links.map(|link| count(link).load(Ordering::SeqCst)).sum()
}

/// Whether the standby was behind while it was cut off.
fn wal_cut(run: &Run, region: &Region, random: &mut Random) -> Result<bool> {
    region.wal.set(Mode::Cut);
    std::thread::sleep(random.millis(BEYOND_THE_BOUND));
    let lag = run.stage.lag(region);
    region.wal.set(Mode::Open);
    Ok(lag? > 0)
}

fn wal_slow(run: &Run, region: &Region, random: &mut Random) -> Result<bool> {
    region.wal.delay_answers((300, 2_000));
    std::thread::sleep(random.millis(3_000..=5_000));
    let lag = run.stage.lag(region);
    region.wal.delay_answers((0, 0));
    Ok(lag? > 0)
}

fn primary_slow(run: &Run, region: &Region, random: &mut Random) -> Result<bool> {
    let delayed = || total(region.links(), |link| &link.counts.delayed);
    let before = delayed();
    run.be_lenient(Duration::from_secs(5) + AFTERMATH);
    region.links().for_each(|link| link.delay_answers((80, 140)));
    std::thread::sleep(random.millis(2_500..=4_500));
    region.links().for_each(|link| link.delay_answers((0, 0)));
    Ok(delayed() > before)
}

fn primary_cut(run: &Run, region: &Region, random: &mut Random) -> Result<bool> {
    let cut = || total(region.links(), |link| &link.counts.cut) + total(region.links(), |link| &link.counts.refused);
    let before = cut();
    run.be_lenient(Duration::from_secs(5) + AFTERMATH);
    // Either closed, or silent until it is back.
    let mode = if random.permille(700) { Mode::Cut } else { Mode::Stalled };
    let stalled = || total(region.links(), |link| &link.counts.stalled);
    let before_stalled = stalled();
    region.links().for_each(|link| link.set(mode));
    std::thread::sleep(random.millis(BEYOND_THE_BOUND));
    region.links().for_each(|link| link.set(Mode::Open));
    Ok(cut() > before || stalled() > before_stalled)
}

fn connections_lost(run: &Run, region: &Region, random: &mut Random) -> Result<bool> {
    let cut = || total(region.links(), |link| &link.counts.cut);
    let before = cut();
    run.be_lenient(Duration::from_secs(5) + AFTERMATH);
    for _ in 0..6 {
        region.links().for_each(|link| link.drop_connections());
        region.wal.drop_connections();
        std::thread::sleep(random.millis(50..=400));
    }
    Ok(cut() > before)
}

fn redis_killed(region: &Region, random: &mut Random) -> Result<bool> {
    let mut servers = region.servers();
    let pid = servers.redis.pid();
    servers.redis.kill();
    std::thread::sleep(random.millis(50..=1_500));
    servers.redis.restart()?;
    Ok(servers.redis.pid() != pid)
}

fn redis_flushed(region: &Region) -> Result<bool> {
    let url = region.servers().redis.url();
    let mut redis = redis::Client::open(url)?.get_connection_with_timeout(Duration::from_secs(5))?;
    let entries: u64 = redis::cmd("DBSIZE").query(&mut redis)?;
    redis::cmd("FLUSHALL").query::<()>(&mut redis)?;
    Ok(entries > 0)
}

fn host_killed(region: &Region, random: &mut Random) -> Result<bool> {
    let node = &region.nodes[random.index(HOSTS)];
    node.kill();
    std::thread::sleep(random.millis(0..=500));
    node.start()?;
    Ok(node.address().1 > 0)
}

fn region_lost(region: &Region, random: &mut Random) -> Result<bool> {
    region.nodes.iter().for_each(|node| node.kill());
    std::thread::sleep(random.millis(BEYOND_THE_BOUND));
    let url = region.servers().redis.url();
    let mut redis = redis::Client::open(url)?.get_connection_with_timeout(Duration::from_secs(5))?;
    let entries: u64 = redis::cmd("DBSIZE").query(&mut redis)?;
    region.nodes.iter().try_for_each(|node| node.start())?;
    Ok(entries > 0)
}

fn region_stopped(region: &Region, random: &mut Random) -> Result<bool> {
    let are_stopped: Vec<bool> = region.nodes.iter().map(|node| node.pause()).collect();
    std::thread::sleep(random.millis(BEYOND_THE_BOUND));
    region.nodes.iter().for_each(|node| node.resume());
    Ok(are_stopped.iter().all(|is_stopped| *is_stopped))
}

/// As after 90 s of silence: no row of the log is kept for it. It must register anew.
fn region_dropped(run: &Run, number: usize, random: &mut Random) -> Result<bool> {
    let region = &run.stage.regions[number];
    let mut primary = run.stage.connect()?;
    let are_stopped: Vec<bool> = region.nodes.iter().map(|node| node.pause()).collect();
    // What they have sent already is over.
    std::thread::sleep(Duration::from_millis(300));
    let drop = "UPDATE log_regions SET seen_at = seen_at - interval '100 s' WHERE region = $1 RETURNING generation";
    let before: i64 = primary.query_one(drop, &[&REGIONS[number]])?.get(0);
    std::thread::sleep(random.millis(BEYOND_THE_BOUND));
    region.nodes.iter().for_each(|node| node.resume());
    let generation = "SELECT generation FROM log_regions WHERE region = $1";
    let begun = Instant::now();
    loop {
        let now: i64 = primary.query_one(generation, &[&REGIONS[number]])?.get(0);
        let is_anew = now > before;
        if is_anew || begun.elapsed() > READER_PATIENCE {
            return Ok(is_anew && are_stopped.iter().all(|is_stopped| *is_stopped));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn region_quiet(run: &Run, number: usize, random: &mut Random) -> Result<bool> {
    let reads = || run.counters.reads[number].load(Ordering::SeqCst);
    run.is_quiet[number].store(true, Ordering::SeqCst);
    let (begun, mut before) = (Instant::now(), reads());
    // Those under way come to their end.
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let now = reads();
        if now == before || begun.elapsed() > READER_PATIENCE {
            break;
        }
        before = now;
    }
    std::thread::sleep(random.millis(BEYOND_THE_BOUND));
    let is_quiet = reads() == before;
    run.is_quiet[number].store(false, Ordering::SeqCst);
    Ok(is_quiet)
}

/// The first of the hosts that sends the statement is killed, and the statement is not passed on.
fn reader_killed(region: &Region) -> Result<bool> {
    let before: u64 = region.nodes.iter().map(|node| node.address().1).sum();
    for node in &region.nodes {
        let victim = Arc::clone(node);
        node.primary.watch(LOG_READ, Catch::Stop(Arc::new(move || victim.kill())));
    }
    let begun = Instant::now();
    let killed = || region.nodes.iter().map(|node| node.address().1).sum::<u64>() > before;
    while !killed() && begun.elapsed() < READER_PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
    region.nodes.iter().for_each(|node| node.primary.unwatch());
    let was_killed = killed();
    for node in region.nodes.iter().filter(|node| node.address().0 == 0) {
        node.start()?;
    }
    Ok(was_killed)
}

/// Waits until the region's cache is used again.
pub fn used_again(run: &Run, number: usize) -> Result<()> {
    /// How many hits show it.
    const ENOUGH: u64 = 100;
    /// A probe that died with its host holds the cache back for ten seconds, and each write that a busy machine kept from its fence for seven.
    const RECOVERY: Duration = Duration::from_secs(90);
    let (begun, enough) = (Instant::now(), run.hits(number) + ENOUGH);
    while run.hits(number) < enough {
        let seconds = RECOVERY.as_secs();
        ensure!(begun.elapsed() < RECOVERY, "the cache of {} was not used again within {seconds} s", REGIONS[number]);
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
