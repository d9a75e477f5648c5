//! `POST /api/cache/drain`.

use http::StatusCode;
use platform::http::Call;
use rental::error::Error;
use rental::http::Answer;
use rental::operator::Drained;

/// Tells Redis of every invalidation that its writer could not, for an administrator who does not want to wait for the
/// next write or probe to do it.
pub async fn drain(call: &Call) -> Result<Answer, Error> {
    call.caller().await?.must_be_admin()?;
    let drained = platform::operator::breaker::drain(&call.instance).await?;
    let lag = platform::postgres::outbox::lag(&call.instance).await?;
    let body = Drained { drained, left: lag.rows, oldest_seconds: lag.oldest_seconds };
    Ok(Answer::json(StatusCode::OK, serde_json::to_vec(&body)?))
}
