//! What the component `origin` does: it hands on what is not ours under `/api`, or says that there is no such path.

use super::relay::relay;
use super::wire::{Outcome, Request, hand_over};
use crate::log::{self, Level};
use crate::scope::Scope;
use crate::time::clock::elapsed;
use crate::variables;
use http::header;
use http::request::Parts;
use rental::config::Gateway;
use rental::error::Error;
use rental::http::{Answer, Responder, finish, origin_problem, problem, server_timing, trace_id};
use rental::metrics::RequestResult;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

thread_local! {
    /// What the instance keeps between its requests: the first reads the variables.
    static CONFIG: RefCell<Option<Rc<Gateway>>> = const { RefCell::new(None) };
}

/// Answers a request that no route of ours has, or that another component has handed on.
pub async fn serve_origin(request: Request) -> Outcome {
    let scope = Scope::new(trace_id(&request.parts.headers));
    scope.run(serve_scoped(request)).await
}

async fn serve_scoped(request: Request) -> Outcome {
    let began = elapsed();
    let Request { parts, route, checked, body } = request;
    let config = match config() {
        Ok(config) => config,
        Err(error) => {
            log::write(Level::Error, "config.refused", &[("error", &error.to_string())]);
            return hand_over_own(problem(&error, parts.uri.path()), &parts, &[], began);
        }
    };
    let origin = config.origin.as_ref();
    let origin = origin.filter(|_| Responder::of(&parts, route, true) == Responder::Origin);
    // Whoever has handed a request on has checked it, and the host has added its own headers since then.
    let checked = if body.is_handed_on() { Ok(()) } else { checked };
    let answer = match (checked, origin) {
        (Err(error), _) => problem(&error, parts.uri.path()),
        (Ok(()), None) => problem(&Error::NotFound, parts.uri.path()),
        (Ok(()), Some(origin)) => match relay(body, origin).await {
            Ok(response) => return Ok(response),
            Err(failure) => origin_problem(&failure, parts.uri.path()),
        },
    };
    hand_over_own(answer, &parts, &config.cors_allowed_origins, began)
}

/// Hands over an answer that is not the origin's, with what every answer of ours has.
pub fn hand_over_own(mut answer: Answer, parts: &Parts, cors_allowed_origins: &[String], began: Duration) -> Outcome {
    finish(&mut answer, &parts.headers, cors_allowed_origins);
    let took = elapsed().saturating_sub(began);
    if let Some(value) = server_timing(RequestResult::None.name(), Duration::ZERO, Duration::ZERO, took) {
        answer.headers.insert(header::HeaderName::from_static("server-timing"), value);
    }
    hand_over(answer)
}

fn config() -> Result<Rc<Gateway>, Error> {
    if let Some(config) = CONFIG.with_borrow(Clone::clone) {
        return Ok(config);
    }
    let config = Rc::new(variables::parsed_by(|lookup| Gateway::parse(lookup))?);
    CONFIG.set(Some(Rc::clone(&config)));
    Ok(config)
}
