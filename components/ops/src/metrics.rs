//! `GET /metrics`, for Prometheus. It needs no token: there is nothing of any tenant in it.

use cache::breaker::StateKind;
use http::{StatusCode, header};
use platform::breaker::admission::renew;
use platform::http::Call;
use platform::metrics::totals;
use platform::postgres::health::{client_hosts, database_health};
use platform::postgres::outbox::lag;
use platform::redis::is_answer;
use rental::error::Error;
use rental::http::Answer;
use rental::metrics::{Gauge, exposition};

/// Answers with what all instances have counted, and with what is so at this moment.
pub async fn metrics(call: &Call) -> Result<Answer, Error> {
    let instance = &call.instance;
    // Before the totals: some of them wait in Redis, and are read by the connection that this opens.
    let facts = instance.redis.facts(&instance.config).await;
    let totals = totals(instance)
        .await
        .map_err(|error| Error::Unavailable(format!("the counts cannot be read: {}", error.0)))?;

    let mut gauges = vec![Gauge::new("build_info", concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""), 1.0)];
    if let Some(record) = renew(instance).await {
        for state in StateKind::ALL {
            let is_it = f64::from(u8::from(record.state_kind() == state));
            gauges.push(Gauge::new("breaker_state", &format!("state=\"{}\"", state.name()), is_it));
        }
        gauges.push(Gauge::new("cache_epoch", "", record.epoch as f64));
    }
    gauges.push(Gauge::new("redis_up", "", f64::from(u8::from(is_answer(&facts)))));
    if let Ok(facts) = facts {
        gauges.extend(facts.memory_bytes.map(|bytes| Gauge::new("redis_memory_bytes", "", bytes as f64)));
        gauges.extend(facts.connections.map(|connections| Gauge::new("redis_connections", "", connections as f64)));
        for (file, is_written) in [("aof", facts.aof_is_written), ("snapshot", facts.snapshot_is_written)] {
            let gauge =
                |is_written| Gauge::new("redis_disk_ok", &format!("file=\"{file}\""), f64::from(u8::from(is_written)));
            gauges.extend(is_written.map(gauge));
        }
    }
    let is_up = database_health(instance).await.answers;
    gauges.push(Gauge::new("postgres_up", "", f64::from(u8::from(is_up))));
    if is_up && let Ok(lag) = lag(instance).await {
        gauges.push(Gauge::new("outbox_rows", "", lag.rows as f64));
        gauges.push(Gauge::new("outbox_oldest_seconds", "", lag.oldest_seconds as f64));
    }
    if is_up && let Ok(hosts) = client_hosts(instance).await {
        gauges.push(Gauge::new("postgres_client_hosts", "", hosts as f64));
    }

    let mut answer =
        Answer::empty(StatusCode::OK).with(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
    answer.body = exposition(&totals, &gauges).into_bytes();
    Ok(answer)
}
