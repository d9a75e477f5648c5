//! `GET /api/health`.

use http::StatusCode;
use shared::database::DatabaseState;
use shared::database_health::DatabaseHealth;
use shared::error::Error;
use shared::http::Answer;
use shared::metrics::{Kind, Totals};
use shared::operator::{Breaker, Cache, Details, Health, Lookups, Outbox, Redis};
use shared::spin::{self, Call};

/// Answers 503 only when PostgreSQL is gone: without the cache the service is slower, and whole, and without writes it reads.
/// Whoever has no administrator's token, or a bad one, is told the two words that a load balancer needs.
pub async fn health(call: &Call) -> Result<Answer, Error> {
    let database = spin::database_health(&call.config).await;
    let state = if database.answers { spin::database_state(&call.config).await } else { None };
    let is_in_order = state.as_ref().is_some_and(|state| state.warnings().is_empty());
    let reason = if database.answers { spin::why_cache_is_not_in_use(&call.config).await } else { None };
    let (code, status) = if !database.answers {
        (StatusCode::SERVICE_UNAVAILABLE, "Unhealthy")
    } else if database.is_well() && is_in_order && reason.is_none() {
        (StatusCode::OK, "Healthy")
    } else {
        (StatusCode::OK, "Degraded")
    };
    let is_admin = call.caller().await.is_ok_and(|caller| caller.must_be_admin().is_ok());
    let word = database.word;
    let details = if is_admin { Some(details(call, database, state.as_ref(), reason).await) } else { None };
    Ok(Answer::json(code, serde_json::to_vec(&Health { status, database: word, details })?))
}

async fn details(
    call: &Call,
    database: DatabaseHealth,
    state: Option<&DatabaseState>,
    reason: Option<String>,
) -> Details {
    let config = &call.config;
    let record = spin::breaker_record(config).await;
    let facts = spin::redis_facts(config).await;
    let totals = spin::totals(config).await.ok();
    let (lag, row_level_security) = if database.answers {
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
        reason,
        redis: Redis {
            status: if spin::answers(&facts) { "Connected" } else { "Disconnected" },
            memory_bytes: facts.ok().and_then(|facts| facts.memory_bytes),
            p50_ms: quantile(50),
            p99_ms: quantile(99),
        },
        epoch: record.as_ref().map(|record| record.epoch),
        breaker: record.as_ref().map(|record| Breaker::of(record)),
        cache: totals.as_ref().map(cache),
        outbox: lag.map(|lag| Outbox { rows: lag.rows, oldest_seconds: lag.oldest_seconds }),
        statement_timeout_ms: state.map(|state| state.statement_timeout_ms),
        tenants_in_doubt: state.map(|state| state.in_doubt.len()),
        warnings: state.map(DatabaseState::warnings).unwrap_or_default(),
        row_level_security,
        database_reason: database.reason,
    }
}

fn cache(totals: &Totals) -> Cache {
    let (list, single) = (totals.hits_and_misses(Kind::List), totals.hits_and_misses(Kind::Single));
    let overall = (list.0 + single.0, list.1 + single.1);
    Cache { list: Lookups::new(list), single: Lookups::new(single), overall: Lookups::new(overall) }
}
