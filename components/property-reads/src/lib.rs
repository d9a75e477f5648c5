//! `GET /api/properties` and `GET /api/properties/{id}`. Writes on these paths are handed on to `writes`.
#![cfg(target_arch = "wasm32")]
// A panic ends the instance and every request in it: input is never unwrapped, indexed or sliced.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice, clippy::unreachable)]
#![deny(clippy::unwrap_used)]

mod get;
mod list;

use shared::error::Error;
use shared::http::{Answer, Route, property_id};
use shared::spin::{Call, Outcome, Request, forward_to_writes, is_write, serve};

shared::http_component!(handle);

async fn handle(request: Request) -> Outcome {
    if is_write(&request) { forward_to_writes(request).await } else { serve(request, respond).await }
}

async fn respond(call: &Call) -> Result<Answer, Error> {
    let tenant = &call.tenant().await?;
    match Route::of(call.parts.uri.path()) {
        Some(Route::Properties) => list::list(call, tenant).await,
        Some(Route::Property(id)) => get::get(call, tenant, property_id(id)?).await,
        _ => Err(Error::NotFound),
    }
}
