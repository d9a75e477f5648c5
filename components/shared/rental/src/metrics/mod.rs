//! What is counted, how counts of many instances are added up, and the text of them for Prometheus.
//!
//! An instance counts in its own memory ([`Delta`]); what it has counted is added to the shared [`Totals`] after the
//! answers have gone out. No tenant, id or key is ever part of a name or a label.

mod exposition;
mod labels;

use crate::operator::verify::{Finding, Reason};
use crate::sql::sqlstate::Kind as PostgresError;
use cache::breaker::StateKind;
use cache::{CacheStatus, Command, FailureKind, Refusal, Rejection};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

pub use exposition::{Gauge, exposition};
pub use labels::{FenceResult, FillResult, KeyFetchResult, MethodLabel, RequestResult, RouteLabel, TokenResult};

/// Whether a lookup was for one resource or for a page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A page of a list.
    List,
    /// One resource.
    Single,
}

/// What a comparison of a hit with PostgreSQL found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// PostgreSQL has the same version.
    Consistent,
    /// It was changed, and invalidated, while it was looked at.
    Changed,
    /// The entry was still there after PostgreSQL had shown something else, and was removed; what kind of write left it.
    Stale(Reason),
}

impl Check {
    /// What the examination of an entry shows of the hit that was made of it, after PostgreSQL had shown another version.
    pub fn of(finding: Finding) -> Self {
        match finding {
            Finding::Inconsistent(reason) => Self::Stale(reason),
            Finding::Consistent | Finding::Refused | Finding::Gone => Self::Changed,
        }
    }
}

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    /// A request that was answered.
    Request {
        /// The route.
        route: RouteLabel,
        /// The method.
        method: MethodLabel,
        /// The status.
        status: u16,
    },
    /// A read that asked the cache, and what that did for it.
    Lookup(Kind, CacheStatus),
    /// A leader's attempt to store what it had read.
    Fill(FillResult),
    /// A hit that was compared with PostgreSQL.
    Check(Check),
    /// An entry that an operator's verification compared with PostgreSQL.
    Verified,
    /// One of those that was not what PostgreSQL has, by reason.
    Inconsistent(Reason),
    /// A pause of a read that waited for another instance's leader.
    LockWait,
    /// A write's fence.
    Fence(FenceResult),
    /// An entry that was not taken, by reason.
    Rejected(Rejection),
    /// An invalidation that was made up for.
    Drained,
    /// A change of the breaker's state, by the new one.
    Transition(StateKind),
    /// A command of Redis that failed.
    RedisError(FailureKind),
    /// One of the refused that says something of Redis itself, by what it says.
    RedisRefused(Refusal),
    /// A statement that failed.
    PostgresError(PostgresError),
    /// A read that was not let through to PostgreSQL.
    PostgresRejected,
    /// A token that was looked at.
    Token(TokenResult),
    /// A set of keys that was asked for.
    KeyFetch(KeyFetchResult),
    /// Counts that could not be added to the totals at once; they were kept for the next time.
    FailedFlush,
}

/// Something whose duration is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timing {
    /// A request, by route and by what the cache did for it.
    Request {
        /// The route.
        route: RouteLabel,
        /// What the cache did.
        result: RequestResult,
    },
    /// A command of Redis that was answered or given up.
    Redis(Command),
    /// A statement, with its connection.
    Postgres,
}

/// Upper bounds of the buckets for requests and statements, in microseconds; they hold the thresholds of the alerts.
const SLOW_BOUNDS: &[u64] =
    &[500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 150_000, 250_000, 500_000, 1_000_000, 2_500_000];
/// The same for commands of Redis.
const FAST_BOUNDS: &[u64] = &[200, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000];

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Single => "single",
        }
    }
}

impl Count {
    /// What is shown as 0 before it has happened, so that rates and ratios are defined from the start.
    fn known() -> Vec<Self> {
        let mut all = vec![Self::Verified, Self::LockWait, Self::Drained, Self::PostgresRejected, Self::FailedFlush];
        for kind in [Kind::List, Kind::Single] {
            all.extend(CacheStatus::ALL.map(|status| Self::Lookup(kind, status)));
        }
        all.extend(FillResult::ALL.iter().copied().map(Self::Fill));
        all.extend(FenceResult::ALL.iter().copied().map(Self::Fence));
        all.extend([Check::Consistent, Check::Changed].map(Self::Check));
        all.extend(Reason::ALL.map(|reason| Self::Check(Check::Stale(reason))));
        all.extend(Reason::ALL.map(Self::Inconsistent));
        all.extend(Rejection::ALL.map(Self::Rejected));
        all.extend(StateKind::ALL.map(Self::Transition));
        // What is unfit is a matter of the deployment, and seldom.
        all.extend([FailureKind::Timeout, FailureKind::Unavailable, FailureKind::Refused].map(Self::RedisError));
        all.extend(Refusal::ALL.map(Self::RedisRefused));
        all.extend(PostgresError::ALL.map(Self::PostgresError));
        all.extend(TokenResult::ALL.iter().copied().map(Self::Token));
        all.extend(KeyFetchResult::ALL.iter().copied().map(Self::KeyFetch));
        all
    }

    /// The series' name with its labels, as Prometheus writes it.
    fn series(self) -> String {
        let labelled = |name: &str, label: &str, value: &str| format!("renttracker_{name}{{{label}=\"{value}\"}}");
        match self {
            Self::Request { route, method, status } => {
                let (route, method) = (route.name(), method.name());
                format!("renttracker_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}")
            }
            Self::Lookup(kind, status) => {
                format!("renttracker_cache_lookups_total{{kind=\"{}\",result=\"{}\"}}", kind.label(), status.name())
            }
            Self::Fill(result) => labelled("cache_fills_total", "result", result.name()),
            Self::Check(Check::Consistent) => labelled("cache_checks_total", "result", "consistent"),
            Self::Check(Check::Changed) => labelled("cache_checks_total", "result", "changed"),
            Self::Check(Check::Stale(reason)) => {
                format!("renttracker_cache_checks_total{{result=\"stale\",reason=\"{}\"}}", reason.name())
            }
            Self::Verified => "renttracker_cache_verify_checked_total".into(),
            Self::Inconsistent(reason) => labelled("cache_verify_inconsistent_total", "reason", reason.name()),
            Self::LockWait => "renttracker_cache_lock_waits_total".into(),
            Self::Fence(result) => labelled("cache_fences_total", "result", result.name()),
            Self::Rejected(reason) => labelled("cache_rejected_total", "reason", reason.name()),
            Self::Drained => "renttracker_outbox_drained_total".into(),
            Self::Transition(to) => labelled("breaker_transitions_total", "to", to.name()),
            Self::RedisError(kind) => labelled("redis_errors_total", "kind", kind.name()),
            Self::RedisRefused(refusal) => labelled("redis_refused_total", "reason", refusal.name()),
            Self::PostgresError(kind) => labelled("postgres_errors_total", "kind", kind.name()),
            Self::PostgresRejected => "renttracker_postgres_rejected_total".into(),
            Self::Token(result) => labelled("tokens_total", "result", result.name()),
            Self::KeyFetch(result) => labelled("jwks_fetches_total", "result", result.name()),
            Self::FailedFlush => "renttracker_metrics_failed_flushes_total".into(),
        }
    }
}

impl Timing {
    fn bounds(self) -> &'static [u64] {
        match self {
            Self::Redis(_) => FAST_BOUNDS,
            Self::Request { .. } | Self::Postgres => SLOW_BOUNDS,
        }
    }

    /// The family's name, and the labels that come before the bucket's own.
    fn series(self) -> String {
        match self {
            Self::Request { route, result } => {
                let (route, result) = (route.name(), result.name());
                format!("renttracker_request_duration_seconds{{route=\"{route}\",result=\"{result}\"}}")
            }
            Self::Redis(command) => {
                format!("renttracker_redis_duration_seconds{{command=\"{}\"}}", command.name())
            }
            Self::Postgres => "renttracker_postgres_duration_seconds{}".into(),
        }
    }
}

/// Durations in buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// The buckets' upper bounds, in microseconds.
    bounds: Vec<u64>,
    /// How many fell into each bucket, and into the one above all.
    counts: Vec<u64>,
    sum_micros: u64,
}

impl Histogram {
    fn new(bounds: &[u64]) -> Self {
        Self { bounds: bounds.to_vec(), counts: vec![0; bounds.len() + 1], sum_micros: 0 }
    }

    fn record(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = self.bounds.partition_point(|bound| *bound < micros);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum_micros = self.sum_micros.saturating_add(micros);
    }

    /// Adds another one. What was counted with other bounds, by another version, is dropped.
    fn add(&mut self, other: &Self) {
        if self.bounds != other.bounds {
            *self = other.clone();
            return;
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum_micros = self.sum_micros.saturating_add(other.sum_micros);
    }

    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The upper bound of the bucket that holds the quantile `numerator / 100`, in microseconds; `None` when nothing was
    /// measured, the largest bound for what lies above it.
    pub fn quantile_micros(&self, numerator: u64) -> Option<u64> {
        let rank = (self.total() * numerator).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return self.bounds.get(bucket).or(self.bounds.last()).copied();
            }
        }
        None
    }
}

/// How long a slot of recent measurements is, in milliseconds, and how many make the last minute.
const SLOT_MS: u64 = 10_000;
const SLOTS: u64 = 6;

/// What an instance has counted since its last report.
#[derive(Debug, Default)]
pub struct Delta {
    counts: BTreeMap<Count, u64>,
    timings: BTreeMap<Timing, Histogram>,
}

impl Delta {
    /// Whether there is nothing to report.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.timings.is_empty()
    }

    /// Counts.
    pub fn count(&mut self, what: Count, by: u64) {
        *self.counts.entry(what).or_default() += by;
    }

    /// Measures.
    pub fn time(&mut self, what: Timing, took: Duration) {
        self.timings.entry(what).or_insert_with(|| Histogram::new(what.bounds())).record(took);
    }

    /// Takes another one in.
    pub fn add(&mut self, other: Self) {
        for (what, by) in other.counts {
            self.count(what, by);
        }
        for (what, histogram) in other.timings {
            self.timings.entry(what).or_insert_with(|| Histogram::new(what.bounds())).add(&histogram);
        }
    }
}

/// What all instances have counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// By series, as Prometheus writes it.
    counts: BTreeMap<String, u64>,
    timings: BTreeMap<String, Histogram>,
    /// Commands of Redis by slot of ten seconds, of the last minute.
    recent_redis: BTreeMap<u64, Histogram>,
}

impl Totals {
    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.timings.is_empty()
    }

    /// Adds what an instance has counted, at `now_ms` (Unix time in milliseconds).
    pub fn add(&mut self, delta: &Delta, now_ms: u64) {
        for (what, by) in &delta.counts {
            *self.counts.entry(what.series()).or_default() += by;
        }
        let slot = now_ms / SLOT_MS;
        for (what, histogram) in &delta.timings {
            self.timings.entry(what.series()).or_default().add(histogram);
            if matches!(what, Timing::Redis(_)) {
                self.recent_redis.entry(slot).or_default().add(histogram);
            }
        }
        self.forget_before(now_ms);
    }

    /// Forgets what was recent more than a minute before `now_ms`.
    pub fn forget_before(&mut self, now_ms: u64) {
        self.recent_redis.retain(|slot, _| slot + SLOTS >= now_ms / SLOT_MS);
    }

    /// Adds other totals.
    pub fn merge(&mut self, other: &Self) {
        for (series, by) in &other.counts {
            *self.counts.entry(series.clone()).or_default() += by;
        }
        for (series, histogram) in &other.timings {
            self.timings.entry(series.clone()).or_default().add(histogram);
        }
        for (slot, histogram) in &other.recent_redis {
            self.recent_redis.entry(*slot).or_default().add(histogram);
        }
    }

    /// How long commands of Redis took in the last minute.
    pub fn recent_redis(&self, now_ms: u64) -> Histogram {
        let mut minute = Histogram::default();
        for (_, histogram) in self.recent_redis.range((now_ms / SLOT_MS).saturating_sub(SLOTS)..) {
            minute.add(histogram);
        }
        minute
    }

    /// Hits and everything else among the reads that asked the cache. What bypassed it did not ask.
    pub fn hits_and_misses(&self, kind: Kind) -> (u64, u64) {
        use CacheStatus::{Collapsed, Hit, Miss, Stored};
        let of = |status| self.counts.get(&Count::Lookup(kind, status).series()).copied().unwrap_or_default();
        (of(Hit), [Stored, Miss, Collapsed].into_iter().map(of).sum())
    }
}

#[cfg(test)]
mod tests;
