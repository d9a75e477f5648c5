//! `GET /api/health`.

use http::StatusCode;
use serde::Serialize;
use shared::error::Error;
use shared::http::Answer;
use shared::spin::{Call, cache_is_in_use, query};

#[derive(Serialize)]
struct Health {
    status: &'static str,
    database: &'static str,
}

/// Answers 503 only when PostgreSQL is gone: without the cache the service is slower, and whole.
pub async fn health(call: &Call) -> Result<Answer, Error> {
    let is_connected = query(&call.config, "SELECT 1", Vec::new()).await.is_ok();
    let (status, health) = if !is_connected {
        (StatusCode::SERVICE_UNAVAILABLE, Health { status: "Unhealthy", database: "Disconnected" })
    } else if cache_is_in_use(&call.config).await {
        (StatusCode::OK, Health { status: "Healthy", database: "Connected" })
    } else {
        (StatusCode::OK, Health { status: "Degraded", database: "Connected" })
    };
    Ok(Answer::json(status, serde_json::to_vec(&health)?))
}
