//! Health, metrics, what operators do to the cache, and the answer for every path outside of the API.

// A panic ends the instance and every request in it: input is never unwrapped, indexed or sliced.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice, clippy::unreachable)]
#![deny(clippy::unwrap_used)]

mod breaker;
mod drain;
mod health;
mod metrics;
mod openapi;
mod probes;
mod purge;
mod verify;
mod warm;

use platform::http::wire::{Outcome, Request};
use platform::http::{Call, forward_to_origin, is_for_origin, serve};
use rental::error::Error;
use rental::http::{Answer, Route};

platform::http_component!(handle);

async fn handle(request: Request) -> Outcome {
    if is_for_origin(&request) { forward_to_origin(request).await } else { serve(request, respond).await }
}

async fn respond(call: &Call) -> Result<Answer, Error> {
    match call.route {
        Some(Route::Health) => health::health(call).await,
        Some(Route::Live) => Ok(probes::live()),
        Some(Route::Ready) => probes::ready(call).await,
        Some(Route::OpenApi) => Ok(openapi::document()),
        Some(Route::Metrics) => metrics::metrics(call).await,
        Some(Route::Cache) => purge::purge(call).await,
        Some(Route::CacheDrain) => drain::drain(call).await,
        Some(Route::CacheBreaker) => breaker::breaker(call).await,
        Some(Route::CacheWarm) => warm::warm(call).await,
        Some(Route::CacheVerify) => verify::verify(call).await,
        _ => Err(Error::NotFound),
    }
}
