//! `POST /api/cache/drain`.

use http::StatusCode;
use serde::Serialize;
use shared::error::Error;
use shared::http::Answer;
use shared::spin::{self, Call};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Drained {
    /// How many invalidations this request made up for.
    drained: usize,
    /// How many have come since, and how old the oldest is: more than a moment means that draining does not keep up.
    left: i64,
    oldest_seconds: i64,
}

/// Tells Redis of every invalidation that its writer could not, for an administrator who does not want to wait for the
/// next write or probe to do it.
pub async fn drain(call: &Call) -> Result<Answer, Error> {
    call.caller().await?.must_be_admin()?;
    let drained = spin::drain(&call.config).await?;
    let lag = spin::lag(&call.config).await?;
    let body = Drained { drained, left: lag.rows, oldest_seconds: lag.oldest_seconds };
    Ok(Answer::json(StatusCode::OK, serde_json::to_vec(&body)?))
}
