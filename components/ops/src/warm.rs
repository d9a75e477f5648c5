//! `POST /api/cache/warm`.

use http::StatusCode;
use platform::http::Call;
use rental::error::Error;
use rental::http::Answer;
use rental::operator::warm::WarmOrder;

/// Fills the cache with what landlords ask for first, for an administrator who has lost it: after a restart or a restore of
/// Redis. Readers fill it too, and nothing depends on it.
pub async fn warm(call: &Call) -> Result<Answer, Error> {
    call.caller().await?.must_be_admin()?;
    let order = WarmOrder::parse(&call.body().await?)?;
    let body = platform::operator::warm::warm(&call.instance, &order).await?;
    Ok(Answer::json(StatusCode::OK, serde_json::to_vec(&body)?))
}
