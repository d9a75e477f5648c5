//! `GET` and `PUT /api/cache/breaker`: what an operator sees of the breaker, and orders.

use http::{Method, StatusCode};
use shared::domain::Violations;
use shared::error::Error;
use shared::http::{Answer, Conditions};
use shared::operator::{Breaker, Order};
use shared::spin::{Call, breaker_record, order_breaker};

/// Answers with the breaker as it is after the order, if there is one.
pub async fn breaker(call: &Call) -> Result<Answer, Error> {
    call.caller().await?.must_be_admin()?;
    let record = if call.parts.method == Method::PUT {
        // It is always there, and has no tag.
        Conditions::of(&call.parts.headers).allow_write(None)?;
        let order: Order = serde_json::from_slice(&call.body().await?)
            .map_err(|_| Violations::one("mode", "must be forced_open, forced_closed, auto or observe"))?;
        order_breaker(&call.config, order.mode)?
    } else {
        let record = breaker_record(&call.config).await;
        record.ok_or_else(|| Error::Unavailable("the breaker's record cannot be read".into()))?
    };
    Ok(Answer::json(StatusCode::OK, serde_json::to_vec(&Breaker::of(&record))?))
}
