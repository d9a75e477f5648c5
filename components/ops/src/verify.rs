//! `POST /api/cache/verify`.

use http::StatusCode;
use shared::error::Error;
use shared::http::Answer;
use shared::spin::{self, Call};
use shared::verify::VerifyOrder;

/// Compares a sample of the cache with PostgreSQL, and deletes what is not the same.
pub async fn verify(call: &Call) -> Result<Answer, Error> {
    call.caller().await?.must_be_admin()?;
    let order = VerifyOrder::parse(&call.body().await?)?;
    let body = spin::verify(&call.config, &order).await?;
    Ok(Answer::json(StatusCode::OK, serde_json::to_vec(&body)?))
}
