//! One run: what its clients share, and what they found.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use harness::http::Cache;
use harness::regions::{Fault, Key, Read, Time, Verdict};

use crate::faults::{self, Kind};
use crate::stage::{REGIONS, Stage};

/// How many findings are told in full.
const TOLD: usize = 6;
/// How many of its latest answers a property remembers as evidence.
const REMEMBERED: usize = 40;
/// The bound: the default of `region_staleness_ms`.
pub const BOUND: Duration = Duration::from_millis(1_000);

/// A landlord.
pub struct Tenant {
    /// Sent with every request.
    pub token: String,
    /// What it has, from the beginning to the end.
    pub properties: Vec<Property>,
}

/// A property.
pub struct Property {
    /// Its id.
    pub id: String,
    /// Counted through the run.
    pub index: usize,
    key: Mutex<Known>,
}

/// What is known of a property.
#[derive(Default)]
pub struct Known {
    /// For the judge.
    pub key: Key,
    /// For whoever looks into a finding.
    evidence: std::collections::VecDeque<String>,
}

/// What is counted.
#[derive(Default)]
pub struct Counters {
    /// Reads that were answered with data, by region.
    pub reads: [AtomicU64; REGIONS.len()],
    /// Those of them that were hits.
    pub hits: [AtomicU64; REGIONS.len()],
    /// Of all reads, those of a page.
    pub lists: AtomicU64,
    /// Reads of a session that hops.
    pub hops: AtomicU64,
    /// Versions that were judged.
    pub judged: AtomicU64,
    /// Writes that were answered.
    pub writes: AtomicU64,
    /// Writes whose outcome nobody knows.
    pub unknown: AtomicU64,
    /// Requests that were answered 503 while a fault let them.
    pub unavailable: AtomicU64,
    /// Requests to a host that was killed under them.
    pub excused: AtomicU64,
}

/// One run.
pub struct Run {
    /// The hosts and servers.
    pub stage: Arc<Stage>,
    /// The landlords.
    pub tenants: Vec<Tenant>,
    /// What was counted.
    pub counters: Counters,
    /// Repeats the choices of this run.
    pub seed: u64,
    /// Regions that are asked for nothing.
    pub is_quiet: [AtomicBool; REGIONS.len()],
    started: Instant,
    is_over: AtomicBool,
    contents: AtomicU64,
    /// The last fault, as an index of [`Kind::ALL`]; before the first its length.
    phase: AtomicUsize,
    /// The oldest read, in nanoseconds, by the last fault.
    oldest: [AtomicU64; Kind::ALL.len() + 1],
    /// Until when 503 is no failure.
    lenient_until: AtomicU64,
    findings: Mutex<BTreeMap<Fault, u64>>,
    failed: AtomicU64,
    told: Mutex<Vec<String>>,
    timeline: Mutex<Vec<String>>,
}

impl Property {
    /// One that is about to be created.
    pub fn new(id: String, index: usize) -> Property {
        Property { id, index, key: Mutex::default() }
    }

    /// What is known of it.
    pub fn known(&self) -> MutexGuard<'_, Known> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Remembers an answer.
    pub fn remember(&mut self, line: String) {
        if self.evidence.len() == REMEMBERED {
            self.evidence.pop_front();
        }
        self.evidence.push_back(line);
    }
}

impl Run {
    /// A run that has not begun, of landlords who have nothing yet.
    pub fn new(stage: Arc<Stage>, tenants: Vec<Tenant>, seed: u64) -> Run {
        Run {
            stage,
            tenants,
            counters: Counters::default(),
            seed,
            is_quiet: Default::default(),
            started: Instant::now(),
            is_over: AtomicBool::new(false),
            contents: AtomicU64::new(0),
            phase: AtomicUsize::new(Kind::ALL.len()),
            oldest: Default::default(),
            lenient_until: AtomicU64::new(0),
            findings: Mutex::default(),
            failed: AtomicU64::new(0),
            told: Mutex::default(),
            timeline: Mutex::default(),
        }
    }

    /// Nanoseconds since the run began.
    pub fn now(&self) -> Time {
        u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// How long it has been going on.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Tells the clients to end.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// Whether the clients shall end.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// A content that no other write has.
    pub fn new_content(&self) -> u64 {
        self.contents.fetch_add(1, Ordering::SeqCst)
    }

    /// Judges what a read told of a property, and counts how old it is.
    pub fn judge(&self, property: &Property, read: Read, floor: u64, text: impl FnOnce() -> String) {
        let phase = self.phase.load(Ordering::Relaxed);
        self.counters.judged.fetch_add(1, Ordering::Relaxed);
        let mut known = property.known();
        let Verdict { age, faults } = known.key.judge(read, floor, nanoseconds(BOUND));
        self.oldest[phase].fetch_max(age, Ordering::Relaxed);
        let line = format!("{} told version {}, {} ms old", text(), read.version, age / 1_000_000);
        for fault in faults {
            self.finding(fault, property, &known, &format!("{line}; its session had seen {floor}"));
        }
        known.remember(line);
    }

    /// An answer that it may not tell.
    pub fn finding(&self, fault: Fault, property: &Property, known: &Known, text: &str) {
        *self.findings.lock().unwrap_or_else(PoisonError::into_inner).entry(fault).or_default() += 1;
        let phase = self.timeline().last().cloned().unwrap_or_default();
        let evidence: String = known.evidence.iter().map(|line| format!("\n    {line}")).collect();
        self.tell(format!("{fault:?}: {text}\n  property {}, last fault:{phase}{evidence}", property.id));
    }

    /// A request that should not have failed.
    pub fn failure(&self, text: &str) {
        self.failed.fetch_add(1, Ordering::SeqCst);
        self.tell(format!("failed: {text}"));
    }

    fn tell(&self, text: String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD {
            told.push(format!("at {:.3} s {text}", self.elapsed().as_secs_f64()));
        }
    }

    /// The findings, told in full as far as there is room.
    pub fn told(&self) -> Vec<String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many findings of a kind there are.
    pub fn found(&self, fault: Fault) -> u64 {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).get(&fault).copied().unwrap_or_default()
    }

    /// How many requests failed that should not have.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::SeqCst)
    }

    /// From now on for so long, 503 is no failure.
    pub fn be_lenient(&self, time: Duration) {
        self.lenient_until.fetch_max(self.now() + nanoseconds(time), Ordering::SeqCst);
    }

    /// Whether a request that began then may be answered 503.
    pub fn is_lenient(&self, start: Time) -> bool {
        start < self.lenient_until.load(Ordering::SeqCst)
    }

    /// A fault begins.
    pub fn begins(&self, kind: Kind, region: usize) {
        let index = Kind::ALL.iter().position(|its| *its == kind).unwrap_or(Kind::ALL.len());
        self.phase.store(index, Ordering::Relaxed);
        self.note(format!("begins in {}: {}", REGIONS[region], kind.name()));
    }

    /// Something happens that explains what comes.
    pub fn note(&self, text: String) {
        let line = format!("  {:>8.2} s  {text}", self.elapsed().as_secs_f64());
        if std::env::var_os("RENTTRACKER_REGIONS_VERBOSE").is_some() {
            println!("{line}");
        }
        self.timeline().push(line);
    }

    fn timeline(&self) -> MutexGuard<'_, Vec<String>> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The faults, as they began and ended.
    pub fn told_timeline(&self) -> String {
        self.timeline().join("\n")
    }

    /// The oldest read in milliseconds, before the first fault and then by fault.
    pub fn oldest(&self) -> Vec<(&'static str, f64)> {
        let names =
            std::iter::once("before the first fault").chain(Kind::ALL.iter().map(|kind| faults::Kind::name(*kind)));
        let values = std::iter::once(&self.oldest[Kind::ALL.len()]).chain(&self.oldest[..Kind::ALL.len()]);
        let milliseconds = |value: &AtomicU64| value.load(Ordering::Relaxed) as f64 / 1e6;
        names.zip(values.map(milliseconds)).collect()
    }

    /// Counts a read that was answered with data.
    pub fn count(&self, region: usize, cache: Cache, is_list: bool, is_hop: bool) {
        let counters = &self.counters;
        counters.reads[region].fetch_add(1, Ordering::Relaxed);
        counters.hits[region].fetch_add(u64::from(cache == Cache::Hit), Ordering::Relaxed);
        counters.lists.fetch_add(u64::from(is_list), Ordering::Relaxed);
        counters.hops.fetch_add(u64::from(is_hop), Ordering::Relaxed);
    }

    /// How many hits there were in a region.
    pub fn hits(&self, region: usize) -> u64 {
        self.counters.hits[region].load(Ordering::Relaxed)
    }
}

/// For the clock of a run.
pub fn nanoseconds(time: Duration) -> Time {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
