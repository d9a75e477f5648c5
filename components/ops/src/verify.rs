//! `POST /api/cache/verify`.

use http::StatusCode;
use platform::http::Call;
use rental::error::Error;
use rental::http::Answer;
use rental::operator::verify::VerifyOrder;

/// Compares a sample of the cache with PostgreSQL, and deletes what is not the same.
pub async fn verify(call: &Call) -> Result<Answer, Error> {
    call.caller().await?.must_be_admin()?;
    let order = VerifyOrder::parse(&call.body().await?)?;
    let body = platform::operator::verify::verify(&call.instance, &order).await?;
    Ok(Answer::json(StatusCode::OK, serde_json::to_vec(&body)?))
}
