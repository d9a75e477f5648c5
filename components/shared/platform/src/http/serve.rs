//! From a request of the platform to an answer, the same way for every component.

use super::call::Call;
use super::wire::{Outcome, Request, Unread, hand_over};
use crate::instance;
use crate::log::{self, Level};
use crate::metrics;
use crate::scope::{Scope, Share};
use crate::time::clock;
use http::header;
use http::request::Parts;
use rental::error::Error;
use rental::http::{
    Action, Answer, Route, conditional, finish, preflight, problem, server_timing, tell_session, trace_id,
};
use rental::metrics::{Count, MethodLabel, RequestResult, RouteLabel, Timing};
use std::rc::Rc;
use std::time::Duration;

const SERVER_TIMING: header::HeaderName = header::HeaderName::from_static("server-timing");

/// Answers a request: OPTIONS and methods that the path lacks at once, the rest by `respond`, GET and HEAD on the request's
/// conditions. An error becomes its problem; what the client may not know of it goes to the log.
pub async fn serve(request: Request, respond: impl AsyncFnOnce(&Call) -> Result<Answer, Error>) -> Outcome {
    let Request { parts, route, checked, body } = request;
    serve_parts(parts, route, Some(body), checked, respond).await
}

/// [`serve`], for a component behind a private route: whoever handed the request on has checked what comes before its body.
pub async fn serve_handed_on(request: Request, respond: impl AsyncFnOnce(&Call) -> Result<Answer, Error>) -> Outcome {
    let Request { parts, route, body, .. } = request;
    serve_parts(parts, route, Some(body), Ok(()), respond).await
}

/// [`serve`], for a request that was checked, and whose body may be gone already.
pub async fn serve_parts(
    parts: Parts,
    route: Option<Route>,
    body: Option<Unread>,
    checked: Result<(), Error>,
    respond: impl AsyncFnOnce(&Call) -> Result<Answer, Error>,
) -> Outcome {
    let scope = Scope::new(trace_id(&parts.headers));
    Rc::clone(&scope).run(serve_scoped(&scope, parts, route, body, checked, respond)).await
}

async fn serve_scoped(
    scope: &Scope,
    parts: Parts,
    route: Option<Route>,
    body: Option<Unread>,
    checked: Result<(), Error>,
    respond: impl AsyncFnOnce(&Call) -> Result<Answer, Error>,
) -> Outcome {
    let began = clock::elapsed();
    let instance = match instance::current() {
        Ok(instance) => instance,
        Err(error) => {
            log::write(Level::Error, "config.refused", &[("error", &error.to_string())]);
            let mut answer = problem(&error, parts.uri.path());
            finish(&mut answer, &parts.headers, &[]);
            add_server_timing(scope, RequestResult::None, clock::elapsed().saturating_sub(began), &mut answer);
            return hand_over(answer);
        }
    };
    let call = Call::new(instance, route, parts, body);
    let action = route.map(|route| (route, route.action(&call.parts.method)));
    let result = match (checked, action) {
        (Err(error), _) => Err(error),
        (Ok(()), Some((route, Action::Preflight))) => {
            Ok(preflight(&call.parts.headers, &call.instance.config.cors_allowed_origins, route.allowed()))
        }
        (Ok(()), Some((route, Action::NotAllowed))) => Err(Error::MethodNotAllowed(route.allowed())),
        (Ok(()), _) => respond(&call).await.map(|answer| conditional(answer, &call.parts)),
    };
    let path = call.parts.uri.path();
    let mut answer = result.unwrap_or_else(|error| {
        if let Error::Unavailable(_) | Error::Internal(_) = &error {
            log::write(Level::Error, "request.failed", &[("error", &error.to_string())]);
        }
        problem(&error, path)
    });
    let config = &call.instance.config;
    finish(&mut answer, &call.parts.headers, &config.cors_allowed_origins);
    if let Some(region) = &config.region {
        tell_session(&mut answer, region, scope.session());
    }
    let took = clock::elapsed().saturating_sub(began);
    let result = measure(&call, &answer, took);
    add_server_timing(scope, result, took, &mut answer);
    metrics::flush_before_answer(&call.instance).await;
    let outcome = hand_over(answer);
    // Behind the body, which is already being written.
    metrics::flush_later(&call.instance);
    outcome
}

/// Counts the request; what the cache did for it.
fn measure(call: &Call, answer: &Answer, took: Duration) -> RequestResult {
    let method = MethodLabel::of(&call.parts.method);
    let is_write = call.route.is_some_and(|route| route.action(&call.parts.method) == Action::Write);
    let result = match answer.cache_status {
        Some(status) => RequestResult::Asked(status),
        None if is_write => RequestResult::Write,
        None => RequestResult::None,
    };
    let route = RouteLabel::of(call.route);
    call.instance.counts.count(Count::Request { route, method, status: answer.status.as_u16() });
    call.instance.counts.time(Timing::Request { route, result }, took);
    result
}

/// Tells the client how long its request took, and how much of that Redis and PostgreSQL.
fn add_server_timing(scope: &Scope, result: RequestResult, took: Duration, answer: &mut Answer) {
    let [redis, postgres] = [Share::Redis, Share::Postgres].map(|share| scope.waited_for(share));
    if let Some(value) = server_timing(result.name(), redis, postgres, took) {
        answer.headers.insert(SERVER_TIMING, value);
    }
}
