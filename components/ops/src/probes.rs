//! `GET /livez` and `GET /readyz`: what an orchestrator asks every few seconds.

use http::{StatusCode, header};
use platform::http::Call;
use platform::postgres::health::database_health;
use rental::error::Error;
use rental::http::Answer;

/// Alive is what answers. Nothing is asked, so that a dead database does not have healthy processes restarted.
pub fn live() -> Answer {
    text("ok")
}

/// Ready is what can answer requests: that needs PostgreSQL, and not the cache.
pub async fn ready(call: &Call) -> Result<Answer, Error> {
    if database_health(&call.instance).await.answers {
        Ok(text("ready"))
    } else {
        Err(Error::Unavailable("not ready: PostgreSQL does not answer".into()))
    }
}

fn text(body: &str) -> Answer {
    let mut answer = Answer::empty(StatusCode::OK).with(header::CONTENT_TYPE, "text/plain; charset=utf-8");
    answer.body = body.into();
    answer
}
