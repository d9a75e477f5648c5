//! `GET /api/openapi.json`. It needs no token: what the API can do is no secret, and tools ask before they have one.

use http::StatusCode;
use rental::http::Answer;

/// Written by `cargo xtask openapi` from the code, and held equal to it by a test of `infra/openapi`.
const DOCUMENT: &[u8] = include_bytes!("../openapi.json");

/// Answers with the OpenAPI document.
pub fn document() -> Answer {
    Answer::json(StatusCode::OK, DOCUMENT.to_vec())
}
