//! `POST /api/cache/drain`.

use http::StatusCode;
use shared::error::Error;
use shared::http::Answer;
use shared::operator::Drained;
use shared::spin::{self, Call};

/// Tells Redis of every invalidation that its writer could not, for an administrator who does not want to wait for the
/// next write or probe to do it.
pub async fn drain(call: &Call) -> Result<Answer, Error> {
    call.caller().await?.must_be_admin()?;
    let drained = spin::drain(&call.config).await?;
    let lag = spin::lag(&call.config).await?;
    let body = Drained { drained, left: lag.rows, oldest_seconds: lag.oldest_seconds };
    Ok(Answer::json(StatusCode::OK, serde_json::to_vec(&body)?))
}
