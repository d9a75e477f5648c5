//! `GET /api/health`.

use http::StatusCode;
use shared::database::DatabaseState;
use shared::error::Error;
use shared::http::Answer;
use shared::metrics::{Kind, Totals};
use shared::operator::{Breaker, Cache, Details, Health, Lookups, Outbox, Redis};
use shared::spin::{self, Call};

/// Answers 503 only when PostgreSQL is gone: without the cache the service is slower, and whole. Whoever has no
/// administrator's token, or a bad one, is told the two words that a load balancer needs.
pub async fn health(call: &Call) -> Result<Answer, Error> {
    let is_connected = spin::database_answers(&call.config).await;
    let database_state = if is_connected { spin::database_state(&call.config).await } else { None };
    let is_in_order = database_state.as_ref().is_some_and(|state| state.warnings().is_empty());
    let (code, status, database) = if !is_connected {
        (StatusCode::SERVICE_UNAVAILABLE, "Unhealthy", "Disconnected")
    } else if is_in_order && spin::cache_is_in_use(&call.config).await {
        (StatusCode::OK, "Healthy", "Connected")
    } else {
        (StatusCode::OK, "Degraded", "Connected")
    };
    let is_admin = call.caller().await.is_ok_and(|caller| caller.must_be_admin().is_ok());
    let details = if is_admin { Some(details(call, is_connected, database_state.as_ref()).await) } else { None };
    Ok(Answer::json(code, serde_json::to_vec(&Health { status, database, details })?))
}

async fn details(call: &Call, is_connected: bool, database: Option<&DatabaseState>) -> Details {
    let config = &call.config;
    let record = spin::breaker_record(config).await;
    let memory = spin::redis_memory(config).await;
    let totals = spin::totals(config).await.ok();
    let (lag, row_level_security) = if is_connected {
        (spin::lag(config).await.ok(), spin::row_level_security_holds(config).await.ok())
    } else {
        (None, None)
    };
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
        statement_timeout_ms: database.map(|state| state.statement_timeout_ms),
        tenants_in_doubt: database.map(|state| state.in_doubt.len()),
        warnings: database.map(DatabaseState::warnings).unwrap_or_default(),
        row_level_security,
    }
}

fn cache(totals: &Totals) -> Cache {
    let (list, single) = (totals.hits_and_misses(Kind::List), totals.hits_and_misses(Kind::Single));
    let overall = (list.0 + single.0, list.1 + single.1);
    Cache { list: Lookups::new(list), single: Lookups::new(single), overall: Lookups::new(overall) }
}
