//! `GET /api/properties` and `GET /api/properties/{id}`. Writes on these paths are handed on to `writes`.
#![cfg(target_arch = "wasm32")]

mod get;
mod list;
mod walk;

use shared::error::Error;
use shared::http::{Answer, Route, property_id};
use shared::spin::{Call, Outcome, Request, forward_to_writes, is_write, serve};

#[spin_sdk::http_service]
async fn handle(request: Request) -> Outcome {
    if is_write(&request) { forward_to_writes(request).await } else { serve(request, respond).await }
}

async fn respond(call: &Call) -> Result<Answer, Error> {
    let caller = call.caller()?;
    match Route::of(call.parts.uri.path()) {
        Some(Route::Properties) => list::list(call, &caller.tenant).await,
        Some(Route::Property(id)) => get::get(call, &caller.tenant, property_id(id)?).await,
        _ => Err(Error::NotFound),
    }
}
