//! What is not ours under `/api`: it goes to the backend that `origin_url` names, and its answer to the client. Without that
//! variable there is no such path.
//!
//! It reaches that backend and nothing else: no cache, no database, no store.

// A panic ends the instance and every request in it: input is never unwrapped, indexed or sliced.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice, clippy::unreachable)]
#![deny(clippy::unwrap_used)]

use platform::http::serve_origin;
use platform::http::wire::{Outcome, Request};

platform::http_component!(handle);

async fn handle(request: Request) -> Outcome {
    serve_origin(request).await
}
