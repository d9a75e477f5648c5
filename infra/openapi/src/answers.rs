//! What operations answer with.

use rental::http::Problem;
use utoipa::openapi::response::Response;
use utoipa::openapi::{Content, Header, Ref, RefOr, ResponseBuilder, Schema};

use crate::schemas;
use crate::session;

/// Every status of an error, the name by which generators call it, what it means, and the header that goes with it.
const PROBLEMS: [(u16, &str, &str, Option<&str>); 16] = [
    (
        400,
        "BadRequest",
        "Members of the body, parameters of the query or headers are missing or wrong: `errors` names them",
        None,
    ),
    (401, "Unauthenticated", "No valid token", Some("WWW-Authenticate")),
    (403, "Forbidden", "A valid token that names no tenant, or lacks the role `Admin` where it is needed", None),
    (404, "NotFound", "There is no such resource, or it is another landlord's", None),
    (405, "MethodNotAllowed", "The path does not have the method", Some("Allow")),
    (
        409,
        "Conflict",
        "`rowVersion` in the body is not the current one; or a request with this `Idempotency-Key` is under way",
        None,
    ),
    (412, "PreconditionFailed", "`If-Match` does not name the current version, or `If-None-Match` does", None),
    (413, "ContentTooLarge", "The body is larger than 1 MiB", None),
    (414, "UriTooLong", "The path is longer than 2 KiB, or the query than 8 KiB", None),
    (415, "UnsupportedMediaType", "The body is not JSON by its `Content-Type`, or has a `Content-Encoding`", None),
    (422, "KeyReused", "This `Idempotency-Key` was used for another request", None),
    (428, "PreconditionRequired", "The deployment wants every write to name the version that it replaces", None),
    (429, "TooManyRequests", "More requests than the landlord may send", Some("Retry-After")),
    (
        431,
        "HeadersTooLarge",
        "There are more than 64 headers, `Connection` aside, or they are longer than 32 KiB, the token aside",
        None,
    ),
    (500, "InternalError", "The request could not be answered", None),
    (
        503,
        "Unavailable",
        "PostgreSQL does not answer, or is asked too much at this moment; or what an operator asks for needs Redis",
        Some("Retry-After"),
    ),
];

/// The statuses of errors that are found before it is known whose session a request is part of.
const COMES_FIRST: [u16; 4] = [401, 405, 414, 431];

/// The answers of errors by their names.
pub fn problems() -> Vec<(String, RefOr<Response>)> {
    let content = Content::new(Some(schemas::of::<Problem>()));
    let answer = |&(status, name, description, header): &(u16, &str, &str, Option<&str>)| {
        let answer =
            ResponseBuilder::new().description(description).content("application/problem+json", content.clone());
        let answer = header.into_iter().fold(answer, |answer, name| answer.header(name, Header::default()));
        let answer =
            if COMES_FIRST.contains(&status) { answer } else { answer.header_ref(session::NAME, session::told()) };
        (name.to_owned(), RefOr::T(answer.build()))
    };
    PROBLEMS.iter().map(answer).collect()
}

/// Their statuses.
#[cfg(test)]
pub fn problem_statuses() -> impl Iterator<Item = u16> {
    PROBLEMS.iter().map(|(status, ..)| *status)
}

/// One of [`problems`].
pub fn problem(status: u16) -> RefOr<Response> {
    let name = PROBLEMS.iter().find(|(known, ..)| *known == status).map(|(_, name, ..)| *name);
    Ref::from_response_name(name.expect("the status of an error")).into()
}

/// An answer in JSON, with these headers.
pub fn json(description: &str, schema: RefOr<Schema>, headers: &[&str]) -> RefOr<Response> {
    let answer =
        ResponseBuilder::new().description(description).content("application/json", Content::new(Some(schema)));
    with(answer, headers)
}

/// An answer in plain text.
pub fn text(description: &str) -> RefOr<Response> {
    let schema = RefOr::T(utoipa::openapi::Object::with_type(utoipa::openapi::Type::String).into());
    with(ResponseBuilder::new().description(description).content("text/plain", Content::new(Some(schema))), &[])
}

/// An answer without a body, with these headers.
pub fn empty(description: &str, headers: &[&str]) -> RefOr<Response> {
    with(ResponseBuilder::new().description(description), headers)
}

fn with(answer: ResponseBuilder, headers: &[&str]) -> RefOr<Response> {
    RefOr::T(headers.iter().fold(answer, |answer, name| answer.header(*name, Header::default())).build())
}
