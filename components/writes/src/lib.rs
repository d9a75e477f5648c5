//! Every POST, PUT and DELETE. The route is private: requests come from the component that owns the path.

// A panic ends the instance and every request in it: input is never unwrapped, indexed or sliced.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice, clippy::unreachable)]
#![deny(clippy::unwrap_used)]

use platform::http::serve_handed_on;
use platform::http::wire::{Outcome, Request};
use write_handlers::respond;

platform::http_component!(handle);

async fn handle(request: Request) -> Outcome {
    serve_handed_on(request, respond).await
}
