//! `GET /api/health`.

use cache::database::DatabaseState;
use http::StatusCode;
use platform::breaker::admission::renew;
use platform::breaker::database_lease::database_state;
use platform::http::Call;
use platform::metrics::totals;
use platform::operator::health::why_cache_is_not_in_use;
use platform::postgres::health::{database_health, row_level_security_holds};
use platform::postgres::outbox::lag;
use platform::redis::is_answer;
use platform::time::clock::unix_ms;
use rental::error::Error;
use rental::http::Answer;
use rental::metrics::{Kind, Totals};
use rental::operator::{Breaker, Cache, Details, Health, Lookups, Outbox, Redis};
use rental::sql::DatabaseHealth;

/// Answers 503 only when PostgreSQL is gone: without the cache the service is slower, and whole, and without writes it reads.
/// Whoever has no administrator's token, or a bad one, is told the two words that a load balancer needs.
pub async fn health(call: &Call) -> Result<Answer, Error> {
    let database = database_health(&call.instance).await;
    let state = if database.answers { database_state(&call.instance).await } else { None };
    let is_in_order = state.as_ref().is_some_and(|state| state.warnings().is_empty());
    let reason = if database.answers { why_cache_is_not_in_use(&call.instance).await } else { None };
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
    let instance = &call.instance;
    let record = renew(instance).await;
    let facts = instance.redis.facts(&instance.config).await;
    let totals = totals(instance).await.ok();
    let (lag, row_level_security) = if database.answers {
        (lag(instance).await.ok(), row_level_security_holds(instance).await.ok())
    } else {
        (None, None)
    };
    let quantile = |percent| {
        let minute = totals.as_ref()?.recent_redis(unix_ms());
        // A few thousand microseconds are exact.
        minute.quantile_micros(percent).map(|micros| micros as f64 / 1_000.0)
    };
    Details {
        version: env!("CARGO_PKG_VERSION"),
        reason,
        redis: Redis {
            status: if is_answer(&facts) { "Connected" } else { "Disconnected" },
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
