//! The API's reference under `/docs`: Swagger UI, built in, on the API's own OpenAPI document. "Try it out" asks the API that serves
//! the page.

// A panic ends the instance and every request in it: input is never unwrapped, indexed or sliced.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice, clippy::unreachable)]
#![deny(clippy::unwrap_used)]

use platform::http::serve_site;
use platform::http::wire::{Outcome, Request};
use rental::http::Site;

include!(concat!(env!("OUT_DIR"), "/files.rs"));

const SITE: Site = Site {
    root: "/docs",
    index: "docs.html",
    policy: "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    files: FILES,
};

platform::http_component!(handle);

async fn handle(request: Request) -> Outcome {
    serve_site(request, &SITE)
}
