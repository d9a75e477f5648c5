//! One run of the history: what its clients share, and what they found.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::http::Cache;
use crate::key::{Fault, Key};
use crate::places::Tenant;

/// How many findings are told in full.
const TOLD: usize = 6;

/// What is counted.
#[derive(Default)]
pub struct Counters {
    /// Reads of one property or payment.
    pub singles: AtomicU64,
    /// Reads of a page of a list.
    pub lists: AtomicU64,
    /// Versions that were judged.
    pub judged: AtomicU64,
    /// Reads answered from the cache.
    pub hits: AtomicU64,
    /// Reads answered under a read lease.
    pub leases: AtomicU64,
    /// Reads from PostgreSQL that were stored.
    pub stored: AtomicU64,
    /// Reads from PostgreSQL that were not stored.
    pub misses: AtomicU64,
    /// Reads that shared another's.
    pub collapsed: AtomicU64,
    /// Reads that left the cache out.
    pub bypasses: AtomicU64,
    /// Writes that were answered.
    pub writes: AtomicU64,
    /// Writes whose outcome nobody knows.
    pub unknown: AtomicU64,
    /// Requests to a host that was killed under them.
    pub excused: AtomicU64,
    /// The slowest read, in microseconds.
    pub slowest_read: AtomicU64,
    /// The slowest write, in microseconds.
    pub slowest_write: AtomicU64,
}

/// One run.
pub struct Run {
    /// The hosts and servers.
    pub cluster: Arc<Cluster>,
    /// The landlords.
    pub tenants: Vec<Tenant>,
    /// What was counted.
    pub counters: Counters,
    /// Repeats the choices of this run.
    pub seed: u64,
    /// Whether a write may be answered that nobody knows its outcome (503).
    pub writes_may_be_unknown: AtomicBool,
    started: Instant,
    is_over: AtomicBool,
    keys: AtomicU32,
    contents: AtomicU64,
    findings: Mutex<BTreeMap<Fault, u64>>,
    failed: AtomicU64,
    told: Mutex<Vec<String>>,
    unknown_creations: AtomicU64,
    phases: Mutex<Vec<(Duration, String)>>,
}

impl Run {
    /// A run that has not begun.
    pub fn new(cluster: Arc<Cluster>, tenants: Vec<Tenant>, seed: u64) -> Run {
        Run {
            cluster,
            tenants,
            counters: Counters::default(),
            seed,
            writes_may_be_unknown: AtomicBool::new(false),
            started: Instant::now(),
            is_over: AtomicBool::new(false),
            keys: AtomicU32::new(0),
            contents: AtomicU64::new(0),
            findings: Mutex::default(),
            failed: AtomicU64::new(0),
            told: Mutex::default(),
            unknown_creations: AtomicU64::new(0),
            phases: Mutex::default(),
        }
    }

    /// Nanoseconds since the run began.
    pub fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX - 1)
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

    /// Something whose creation has been answered.
    pub fn new_key(&self, id: &str, content: u64) -> Arc<Key> {
        Arc::new(Key::new(self.keys.fetch_add(1, Ordering::SeqCst), id, content))
    }

    /// A content that no other write has.
    pub fn new_content(&self) -> u64 {
        self.contents.fetch_add(1, Ordering::SeqCst)
    }

    /// A creation whose outcome nobody knows.
    pub fn creation_is_unknown(&self) {
        self.unknown_creations.fetch_add(1, Ordering::SeqCst);
    }

    /// How many creations have an outcome that nobody knows.
    pub fn unknown_creations(&self) -> u64 {
        self.unknown_creations.load(Ordering::SeqCst)
    }

    /// Counts what the cache had to do with a read.
    pub fn count(&self, cache: Cache) {
        let counter = match cache {
            Cache::Hit => &self.counters.hits,
            Cache::Lease => &self.counters.leases,
            Cache::Stored => &self.counters.stored,
            Cache::Miss | Cache::Silent => &self.counters.misses,
            Cache::Collapsed => &self.counters.collapsed,
            Cache::Bypass => &self.counters.bypasses,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A request that should not have failed.
    pub fn failure(&self, text: &str) {
        self.failed.fetch_add(1, Ordering::SeqCst);
        self.tell(format!("failed: {text}"));
    }

    /// An answer that it may not tell.
    pub fn finding(&self, fault: Fault, key: &Key, text: &str) {
        *self.findings().entry(fault).or_default() += 1;
        let phase = self.phases().last().map_or_else(|| "none yet".into(), |(_, phase)| phase.clone());
        let evidence = key.evidence();
        self.tell(format!("{fault:?}: {text}\n  id {}, last fault: {phase}\n{evidence}", key.id));
    }

    fn tell(&self, text: String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD {
            told.push(format!("at {:?} {text}", self.elapsed()));
        }
    }

    /// The findings, told in full as far as there is room.
    pub fn told(&self) -> Vec<String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn findings(&self) -> MutexGuard<'_, BTreeMap<Fault, u64>> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many findings of a kind there are.
    pub fn found(&self, fault: Fault) -> u64 {
        self.findings().get(&fault).copied().unwrap_or_default()
    }

    /// How many requests failed that should not have.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::SeqCst)
    }

    /// A fault begins or ends.
    pub fn phase(&self, text: impl Into<String>) {
        let text = text.into();
        if std::env::var_os("RENTTRACKER_HISTORY_VERBOSE").is_some() {
            let hits = self.counters.hits.load(Ordering::Relaxed);
            println!("{:>8.2} s  hits {hits:>8}  {text}", self.elapsed().as_secs_f64());
        }
        self.phases().push((self.elapsed(), text));
    }

    fn phases(&self) -> MutexGuard<'_, Vec<(Duration, String)>> {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The faults, as they began and ended.
    pub fn timeline(&self) -> String {
        self.phases().iter().map(|(at, text)| format!("  {:>8.2} s  {text}\n", at.as_secs_f64())).collect()
    }
}
