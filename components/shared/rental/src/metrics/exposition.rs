//! The text for Prometheus: its text-based format 0.0.4.

use super::{Count, Histogram, Totals};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A family of series: name, type and help text.
pub(super) struct Family {
    pub name: &'static str,
    pub kind: &'static str,
    help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: "counter", help }
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: "gauge", help }
}

const fn histogram(name: &'static str, help: &'static str) -> Family {
    Family { name, kind: "histogram", help }
}

/// Every family, in the order of the text.
pub(super) const FAMILIES: &[Family] = &[
    gauge("renttracker_build_info", "The version that answers."),
    counter("renttracker_requests_total", "Requests answered."),
    histogram("renttracker_request_duration_seconds", "Time from a request's arrival to its answer."),
    counter("renttracker_cache_lookups_total", "Reads that asked the cache, by what it did for them."),
    counter("renttracker_cache_fills_total", "Attempts to store what was read."),
    counter("renttracker_cache_lock_waits_total", "Pauses of reads that waited for another instance's leader."),
    counter("renttracker_cache_fences_total", "Fences of writes."),
    counter("renttracker_cache_rejected_total", "Values that were found and not taken for entries."),
    counter("renttracker_cache_checks_total", "Hits of a sample that were compared with PostgreSQL."),
    counter("renttracker_cache_verify_checked_total", "Entries that a verification compared with PostgreSQL."),
    counter("renttracker_cache_verify_inconsistent_total", "Those of them that PostgreSQL had otherwise."),
    gauge("renttracker_cache_epoch", "The cache's generation."),
    gauge("renttracker_outbox_rows", "Invalidations that Redis has not been told of."),
    gauge("renttracker_outbox_oldest_seconds", "Age of the oldest of them."),
    counter("renttracker_outbox_drained_total", "Invalidations that were made up for."),
    gauge("renttracker_breaker_state", "1 for the state that the breaker is in."),
    counter("renttracker_breaker_transitions_total", "Changes of the breaker's state."),
    gauge("renttracker_redis_up", "Whether Redis answers."),
    gauge("renttracker_redis_memory_bytes", "What Redis uses."),
    gauge("renttracker_redis_connections", "Clients that are connected to Redis: each instance keeps one connection."),
    gauge("renttracker_redis_disk_ok", "Whether Redis could last write this file of its own."),
    histogram("renttracker_redis_duration_seconds", "Time of a command of Redis."),
    counter("renttracker_redis_errors_total", "Commands that Redis refused or did not answer."),
    counter("renttracker_redis_refused_total", "Commands that Redis refused whatever their key, by what it says."),
    gauge("renttracker_postgres_up", "Whether PostgreSQL answers."),
    gauge("renttracker_postgres_client_hosts", "Addresses from which the components are connected to PostgreSQL."),
    histogram("renttracker_postgres_duration_seconds", "Time of a statement, its connection included."),
    counter("renttracker_postgres_errors_total", "Statements that failed."),
    counter("renttracker_postgres_rejected_total", "Reads that were not let through to PostgreSQL."),
    counter("renttracker_tokens_total", "Tokens looked at: verified, remembered from before, or refused."),
    counter("renttracker_jwks_fetches_total", "Sets of keys that were asked for."),
    counter("renttracker_metrics_failed_flushes_total", "Counts that were added to the totals later than they should."),
];

/// A value that is looked up when it is asked for.
pub struct Gauge {
    /// The series.
    pub series: String,
    /// What it is now.
    pub value: f64,
}

impl Gauge {
    /// `name` without `renttracker_`, and labels as Prometheus writes them, without braces.
    pub fn new(name: &str, labels: &str, value: f64) -> Self {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        Self { series: format!("renttracker_{name}{labels}"), value }
    }
}

/// The text that Prometheus reads (text-based format 0.0.4).
pub fn exposition(totals: &Totals, gauges: &[Gauge]) -> String {
    let mut counts: BTreeMap<String, u64> = Count::known().into_iter().map(|count| (count.series(), 0)).collect();
    counts.extend(totals.counts.iter().map(|(series, count)| (series.clone(), *count)));
    let mut text = String::new();
    for family in FAMILIES {
        let mut lines = String::new();
        let belongs = |series: &str| series.split('{').next() == Some(family.name);
        // Writing to a string does not fail.
        for gauge in gauges.iter().filter(|gauge| belongs(&gauge.series)) {
            let _ = writeln!(lines, "{} {}", gauge.series, gauge.value);
        }
        for (series, count) in counts.iter().filter(|(series, _)| belongs(series)) {
            let _ = writeln!(lines, "{series} {count}");
        }
        for (series, histogram) in totals.timings.iter().filter(|(series, _)| belongs(series)) {
            let labels = series.split_once('{').map_or("", |(_, rest)| rest.trim_end_matches('}'));
            write_histogram(&mut lines, family.name, labels, histogram);
        }
        if !lines.is_empty() {
            let _ = writeln!(text, "# HELP {} {}\n# TYPE {} {}", family.name, family.help, family.name, family.kind);
            text.push_str(&lines);
        }
    }
    text
}

fn write_histogram(lines: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    let comma = if labels.is_empty() { "" } else { "," };
    let bounds = histogram.bounds.iter().map(|micros| seconds(*micros)).chain(["+Inf".to_owned()]);
    let mut cumulated = 0;
    for (bound, count) in bounds.zip(&histogram.counts) {
        cumulated += count;
        let _ = writeln!(lines, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {cumulated}");
    }
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let _ = writeln!(lines, "{name}_sum{labels} {}", seconds(histogram.sum_micros));
    let _ = writeln!(lines, "{name}_count{labels} {}", histogram.total());
}

/// Microseconds as exact decimal seconds.
pub(super) fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
