//! From a request of the platform to an answer, the same way for every component.

use super::clock;
use super::metrics;
use super::tokens::authenticate;
use super::variables::config;
use super::wire::{Outcome, Request, Unread, send};
use rental::auth::Caller;
use rental::budget::Buckets;
use rental::config::Config;
use rental::domain::{TenantId, Violations};
use rental::error::Error;
use rental::http::{
    Action, Answer, MAX_BODY_BYTES, Route, check_body_headers, check_head, conditional, finish, preflight, problem,
    trace_id,
};
use crate::log::{self, Level};
use rental::metrics::{Count, Timing, result_label};
use crate::scope::{Scope, Share};
use bytes::Bytes;
use http::header;
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const SERVER_TIMING: header::HeaderName = header::HeaderName::from_static("server-timing");

thread_local! {
    static BUCKETS: RefCell<Buckets> = RefCell::default();
}

/// A request, with what every handler needs.
pub struct Call {
    /// The configuration.
    pub config: Rc<Config>,
    /// Method, path, query and headers.
    pub parts: Parts,
    body: RefCell<Option<Unread>>,
}

impl Call {
    /// Verifies the token.
    ///
    /// # Errors
    /// Those of [`authenticate`].
    pub async fn caller(&self) -> Result<Caller, Error> {
        let authorization = self.parts.headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
        authenticate(&self.config, authorization).await
    }

    /// Verifies the token of a landlord and takes the request out of its budget. Operators have none: they are needed most
    /// when something is out of hand.
    ///
    /// # Errors
    /// Those of [`Call::caller`], and [`Error::OverBudget`].
    pub async fn tenant(&self) -> Result<TenantId, Error> {
        let tenant = self.caller().await?.tenant;
        if let Some(budget) = self.config.tenant_budget {
            let taken = BUCKETS.with_borrow_mut(|buckets| buckets.take(&tenant, budget, clock::elapsed()));
            // Told in whole seconds, rounded up: sooner would be too early.
            taken.map_err(|wait| Error::OverBudget(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)))?;
        }
        Ok(tenant)
    }

    /// Reads the body of a POST or PUT, which must be JSON of at most [`MAX_BODY_BYTES`].
    ///
    /// # Errors
    /// Those of [`check_body_headers`], and the same for what the body turns out to be.
    pub async fn body(&self) -> Result<Bytes, Error> {
        check_body_headers(&self.parts.headers)?;
        let Some(body) = self.body.take() else {
            return Ok(Bytes::new());
        };
        let cannot = |error: &dyn std::fmt::Display| Violations::one("body", format!("cannot be read: {error}"));
        let body = body.open().map_err(|error| cannot(&error))?;
        match Limited::new(body, MAX_BODY_BYTES).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(Error::TooLarge),
            Err(error) => Err(cannot(&error).into()),
        }
    }
}

/// Answers a request: OPTIONS and methods that the path lacks at once, the rest by `respond`, GET and HEAD on the request's
/// conditions. An error becomes its problem; what the client may not know of it goes to the log.
pub async fn serve(request: Request, respond: impl AsyncFnOnce(&Call) -> Result<Answer, Error>) -> Outcome {
    let Request { parts, body } = request;
    let checked = check_head(&parts);
    serve_parts(parts, Some(body), checked, respond).await
}

/// [`serve`], for a component behind a private route: whoever handed the request on has checked what comes before its body.
pub async fn serve_handed_on(request: Request, respond: impl AsyncFnOnce(&Call) -> Result<Answer, Error>) -> Outcome {
    let Request { parts, body } = request;
    serve_parts(parts, Some(body), Ok(()), respond).await
}

/// [`serve`], for a request that was checked, and whose body may be gone already.
pub async fn serve_parts(
    parts: Parts,
    body: Option<Unread>,
    checked: Result<(), Error>,
    respond: impl AsyncFnOnce(&Call) -> Result<Answer, Error>,
) -> Outcome {
    let scope = Scope::new(trace_id(&parts.headers));
    Rc::clone(&scope).run(serve_scoped(&scope, parts, body, checked, respond)).await
}

async fn serve_scoped(
    scope: &Scope,
    parts: Parts,
    body: Option<Unread>,
    checked: Result<(), Error>,
    respond: impl AsyncFnOnce(&Call) -> Result<Answer, Error>,
) -> Outcome {
    let began = clock::elapsed();
    let config = match config().await {
        Ok(config) => config,
        Err(error) => {
            log::write(Level::Error, "config.refused", &[("error", &error.to_string())]);
            let mut answer = problem(&error, parts.uri.path());
            finish(&mut answer, &parts.headers, &[]);
            tell(scope, "none", clock::elapsed().saturating_sub(began), &mut answer);
            return send(answer);
        }
    };
    let call = Call { config, parts, body: RefCell::new(body) };
    let route = Route::of(call.parts.uri.path());
    let action = route.map(|route| (route, route.action(&call.parts.method)));
    let result = match (checked, action) {
        (Err(error), _) => Err(error),
        (Ok(()), Some((route, Action::Preflight))) => {
            Ok(preflight(&call.parts.headers, &call.config.cors_allowed_origins, route.allowed()))
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
    finish(&mut answer, &call.parts.headers, &call.config.cors_allowed_origins);
    let took = clock::elapsed().saturating_sub(began);
    let result = measure(&call, route, &answer, took);
    tell(scope, result, took, &mut answer);
    send(answer)
}

/// Counts the request; what the cache did for it.
fn measure(call: &Call, route: Option<Route<'_>>, answer: &Answer, took: Duration) -> &'static str {
    let method = method_label(&call.parts.method);
    let is_write = route.is_some_and(|route| route.action(&call.parts.method) == Action::Write);
    let result = match answer.cache_status {
        Some(status) => result_label(status),
        None if is_write => "write",
        None => "none",
    };
    let route = route.map_or("other", Route::name);
    metrics::count(Count::Request { route, method, status: answer.status.as_u16() });
    metrics::time(Timing::Request { route, result }, took);
    metrics::flush_later(&call.config);
    result
}

/// Tells the client how long its request took, and how much of that Redis and PostgreSQL (Server-Timing, W3C; milliseconds).
fn tell(scope: &Scope, result: &str, took: Duration, answer: &mut Answer) {
    let [redis, postgres, total] = [scope.waited_for(Share::Redis), scope.waited_for(Share::Postgres), took]
        .map(|duration| duration.as_secs_f64() * 1_000.0);
    let text = format!("cache;desc={result}, redis;dur={redis:.2}, db;dur={postgres:.2}, total;dur={total:.2}");
    if let Ok(value) = http::HeaderValue::try_from(text) {
        answer.headers.insert(SERVER_TIMING, value);
    }
}

/// The method, or `OTHER`: clients may send any word, and each would be a series of its own.
fn method_label(method: &http::Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("OTHER")
}
