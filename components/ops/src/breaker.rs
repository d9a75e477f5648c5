//! `GET` and `PUT /api/cache/breaker`: what an operator sees of the breaker, and orders.

use http::{Method, StatusCode};
use platform::breaker::admission::renew;
use platform::http::Call;
use platform::operator;
use rental::domain::Violations;
use rental::error::Error;
use rental::http::{Answer, Conditions};
use rental::operator::{Breaker, Order};

/// Answers with the breaker as it is after the order, if there is one.
pub async fn breaker(call: &Call) -> Result<Answer, Error> {
    call.caller().await?.must_be_admin()?;
    let record = if call.parts.method == Method::PUT {
        // It is always there, and has no tag.
        Conditions::of(&call.parts.headers).allow_write(None)?;
        let order: Order = serde_json::from_slice(&call.body().await?)
            .map_err(|_| Violations::one("mode", "must be forced_open, forced_closed, auto or observe"))?;
        operator::breaker::order(&call.instance, order.mode).await?
    } else {
        let record = renew(&call.instance).await;
        record.ok_or_else(|| Error::Unavailable("the breaker's record cannot be read".into()))?
    };
    Ok(Answer::json(StatusCode::OK, serde_json::to_vec(&Breaker::of(&record))?))
}
