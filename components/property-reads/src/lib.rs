//! `GET /api/properties` and `GET /api/properties/{id}`. Writes on these paths are handed on to `writes`.

// A panic ends the instance and every request in it: input is never unwrapped, indexed or sliced.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice, clippy::unreachable)]
#![deny(clippy::unwrap_used)]

mod get;
mod list;

#[cfg(not(feature = "without-chaining"))]
use platform::http::forward_to_writes as answer_write;
use platform::http::wire::{Outcome, Request};
use platform::http::{Call, forward_to_origin, is_for_origin, is_write, serve};
use rental::error::Error;
use rental::http::{Answer, Route};
#[cfg(feature = "without-chaining")]
use write_handlers::serve_write as answer_write;

platform::http_component!(handle);

async fn handle(request: Request) -> Outcome {
    if is_for_origin(&request) {
        forward_to_origin(request).await
    } else if is_write(&request) {
        answer_write(request).await
    } else {
        serve(request, respond).await
    }
}

async fn respond(call: &Call) -> Result<Answer, Error> {
    let tenant = &call.tenant().await?;
    match call.route {
        Some(Route::Properties) => list::list(call, tenant).await,
        Some(Route::Property(Some(id))) => get::get(call, tenant, id).await,
        _ => Err(Error::NotFound),
    }
}
