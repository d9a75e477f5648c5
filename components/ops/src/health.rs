//! `GET /api/health`.

use http::StatusCode;
use serde::Serialize;
use shared::domain::Timestamp;
use shared::error::Error;
use shared::http::Answer;
use shared::metrics::{Kind, Totals};
use shared::spin::{self, Call};

#[derive(Serialize)]
struct Health {
    status: &'static str,
    database: &'static str,
    #[serde(flatten)]
    details: Option<Details>,
}

/// What an administrator is told besides. What cannot be found out at this moment is null.
#[derive(Serialize)]
struct Details {
    version: &'static str,
    redis: Redis,
    breaker: Option<Breaker>,
    epoch: Option<u64>,
    cache: Option<Cache>,
    outbox: Option<Outbox>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Redis {
    status: &'static str,
    memory_bytes: Option<u64>,
    /// Of the last minute's commands; upper bounds of the buckets that the quantiles fall into.
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// The breaker, as health and `/api/cache/breaker` tell it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Breaker {
    state: &'static str,
    mode: shared::breaker::Mode,
    since: Option<Timestamp>,
    reason: String,
    failed_probes: u32,
    /// Whether one instance alone says that Redis is failing.
    is_suspected: bool,
    epoch: u64,
}

#[derive(Serialize)]
struct Cache {
    list: Lookups,
    single: Lookups,
    overall: Lookups,
}

#[derive(Serialize)]
struct Lookups {
    hits: u64,
    misses: u64,
    /// Null before the first.
    ratio: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outbox {
    rows: i64,
    oldest_seconds: i64,
}

impl Breaker {
    /// What may be told of a record.
    pub fn of(record: &shared::breaker::Record) -> Self {
        let micros = i64::try_from(record.since_ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        Self {
            state: record.state_name(),
            mode: record.mode,
            since: Timestamp::from_unix_micros(micros),
            reason: record.reason.clone(),
            failed_probes: record.failed_probes,
            is_suspected: record.suspicion.is_some(),
            epoch: record.epoch,
        }
    }
}

/// Answers 503 only when PostgreSQL is gone: without the cache the service is slower, and whole. Whoever has no
/// administrator's token, or a bad one, is told the two words that a load balancer needs.
pub async fn health(call: &Call) -> Result<Answer, Error> {
    let is_connected = spin::database_answers(&call.config).await;
    let (code, status, database) = if !is_connected {
        (StatusCode::SERVICE_UNAVAILABLE, "Unhealthy", "Disconnected")
    } else if spin::cache_is_in_use(&call.config).await {
        (StatusCode::OK, "Healthy", "Connected")
    } else {
        (StatusCode::OK, "Degraded", "Connected")
    };
    let is_admin = call.caller().await.is_ok_and(|caller| caller.must_be_admin().is_ok());
    let details = if is_admin { Some(details(call, is_connected).await) } else { None };
    Ok(Answer::json(code, serde_json::to_vec(&Health { status, database, details })?))
}

async fn details(call: &Call, is_connected: bool) -> Details {
    let config = &call.config;
    let record = spin::breaker_record(config).await;
    let memory = spin::redis_memory(config).await;
    let totals = spin::totals(config).await.ok();
    let lag = if is_connected { spin::lag(config).await.ok() } else { None };
    let quantile = |percent| {
        let minute = totals.as_ref()?.recent_redis(spin::unix_ms());
        // A few thousand microseconds are exact.
        minute.quantile_micros(percent).map(|micros| micros as f64 / 1_000.0)
    };
    Details {
        version: env!("CARGO_PKG_VERSION"),
        redis: Redis {
            status: if memory.is_some() { "Connected" } else { "Disconnected" },
            memory_bytes: memory,
            p50_ms: quantile(50),
            p99_ms: quantile(99),
        },
        epoch: record.as_ref().map(|record| record.epoch),
        breaker: record.as_ref().map(|record| Breaker::of(record)),
        cache: totals.as_ref().map(cache),
        outbox: lag.map(|lag| Outbox { rows: lag.rows, oldest_seconds: lag.oldest_seconds }),
    }
}

fn cache(totals: &Totals) -> Cache {
    let (list, single) = (totals.hits_and_misses(Kind::List), totals.hits_and_misses(Kind::Single));
    Cache { list: lookups(list), single: lookups(single), overall: lookups((list.0 + single.0, list.1 + single.1)) }
}

fn lookups((hits, misses): (u64, u64)) -> Lookups {
    let all = hits + misses;
    Lookups { hits, misses, ratio: (all > 0).then(|| hits as f64 / all as f64) }
}
