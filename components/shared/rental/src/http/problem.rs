//! Problem details (RFC 9457): the one place where an error becomes a status and what a client may know of it.

use super::Answer;
use crate::error::Error;
use http::{StatusCode, header};
use serde::Serialize;
use std::collections::BTreeMap;

/// How many seconds a client should wait before it tries an unavailable service, or a key in use, again.
const RETRY_AFTER_SECONDS: &str = "1";

/// The body of every error.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem<'a> {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'a str,
    /// The status.
    status: u16,
    /// What is wrong, for a person.
    detail: &'a str,
    /// The path of the request.
    instance: &'a str,
    /// Messages by member, for a request that has members missing or wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'a BTreeMap<String, Vec<String>>>,
}

/// The answer for an error on the path `instance`. What only the log may know stays behind.
pub fn problem(error: &Error, instance: &str) -> Answer {
    let (status, detail) = match error {
        // One text for everything that can be wrong with a token: details help only an attacker who forges one.
        Error::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "A valid bearer token is required."),
        Error::Forbidden(detail) => (StatusCode::FORBIDDEN, *detail),
        Error::NotFound => (StatusCode::NOT_FOUND, "There is no such resource."),
        Error::MethodNotAllowed(_) => {
            (StatusCode::METHOD_NOT_ALLOWED, "The path does not have this method; see Allow.")
        }
        Error::Invalid(_) => (StatusCode::BAD_REQUEST, "Some members of the request are missing or wrong; see errors."),
        Error::UriTooLong => (StatusCode::URI_TOO_LONG, "The path or the query is too long."),
        Error::HeadersTooLarge => {
            (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "There are too many headers, or they are too long.")
        }
        Error::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The body is larger than 1 MiB."),
        Error::UnsupportedMediaType(detail) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, *detail),
        Error::PreconditionFailed => {
            (StatusCode::PRECONDITION_FAILED, "If-Match does not name the current version, or If-None-Match does.")
        }
        Error::PreconditionRequired => (
            StatusCode::PRECONDITION_REQUIRED,
            "Name the version that is replaced: If-Match, or rowVersion in the body.",
        ),
        Error::Conflict => (StatusCode::CONFLICT, "rowVersion is not the current one; read the resource again."),
        Error::KeyInUse => {
            (StatusCode::CONFLICT, "A request with this Idempotency-Key is under way; send it again in a moment.")
        }
        Error::KeyReused => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "This Idempotency-Key was used for another request; each request needs its own.",
        ),
        Error::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "The service is not available right now."),
        Error::CacheOutOfUse => {
            (StatusCode::CONFLICT, "The cache is out of use right now; GET /api/cache/breaker says since when and why.")
        }
        Error::Busy => (StatusCode::SERVICE_UNAVAILABLE, "The service is busy right now."),
        Error::RateLimited(_) => {
            (StatusCode::TOO_MANY_REQUESTS, "More requests than you may send; try again after the time in Retry-After.")
        }
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "The request could not be answered."),
    };
    let errors = match error {
        Error::Invalid(violations) => Some(violations.by_member()),
        _ => None,
    };
    let answer = described(status, detail, instance, errors);
    match error {
        Error::Unauthenticated(_) => answer.with(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""),
        Error::MethodNotAllowed(allowed) => answer.with(header::ALLOW, allowed),
        Error::Unavailable(_) | Error::CacheOutOfUse | Error::Busy | Error::KeyInUse => {
            answer.with(header::RETRY_AFTER, RETRY_AFTER_SECONDS)
        }
        Error::RateLimited(seconds) => answer.with(header::RETRY_AFTER, &seconds.to_string()),
        _ => answer,
    }
}

fn described(
    status: StatusCode,
    detail: &str,
    instance: &str,
    errors: Option<&BTreeMap<String, Vec<String>>>,
) -> Answer {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = Problem { kind: "about:blank", title, status: status.as_u16(), detail, instance, errors };
    // Texts and numbers always serialize; an empty body would still carry the right status.
    let mut answer = Answer::empty(status).with(header::CONTENT_TYPE, "application/problem+json");
    answer.body = serde_json::to_vec(&body).unwrap_or_default();
    answer
}

/// Why the origin has not answered. None of our own paths is answered so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginFailure {
    /// It cannot be reached, or what came from there is no answer. The text is for the log.
    #[error("{0}")]
    NoAnswer(String),
    /// It took longer than `origin_timeout_ms` for its next step.
    #[error("it took longer than origin_timeout_ms")]
    Late,
}

/// The answer for a request that the origin has not answered.
pub fn origin_problem(failure: &OriginFailure, instance: &str) -> Answer {
    match failure {
        OriginFailure::NoAnswer(_) => {
            described(StatusCode::BAD_GATEWAY, "The service behind this path did not answer.", instance, None)
        }
        OriginFailure::Late => described(
            StatusCode::GATEWAY_TIMEOUT,
            "The service behind this path did not answer in time.",
            instance,
            None,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Violations;
    use serde_json::{Value, json};

    fn body(error: &Error) -> Value {
        serde_json::from_slice(&problem(error, "/api/x").body).expect("JSON")
    }

    #[test]
    fn a_problem_has_the_members_of_rfc_9457() {
        let error = Error::Invalid(Violations::one("address", "is required"));
        assert_eq!(
            body(&error),
            json!({
                "type": "about:blank",
                "title": "Bad Request",
                "status": 400,
                "detail": "Some members of the request are missing or wrong; see errors.",
                "instance": "/api/x",
                "errors": {"address": ["is required"]},
            })
        );
    }

    #[test]
    fn the_reason_of_an_internal_error_is_not_told_to_the_client() {
        for error in [
            Error::Unavailable("connect to db.internal:5432 failed".into()),
            Error::Internal("relation \"properties\" does not exist".into()),
            Error::Unauthenticated("expired"),
        ] {
            let text = body(&error).to_string();
            assert!(!text.contains("db.internal") && !text.contains("relation") && !text.contains("expired"), "{text}");
        }
    }

    #[test]
    fn a_client_is_not_told_where_the_origin_is() {
        let failure = OriginFailure::NoAnswer("backend.internal:5000 refused the connection".into());
        let answer = origin_problem(&failure, "/api/x");
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
        assert!(!String::from_utf8_lossy(&answer.body).contains("internal"));
        assert_eq!(origin_problem(&OriginFailure::Late, "/api/x").status, StatusCode::GATEWAY_TIMEOUT);
    }

    #[test]
    fn a_tenant_over_its_budget_is_told_when_to_come_back() {
        let answer = problem(&Error::RateLimited(7), "/");
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers[header::RETRY_AFTER], "7");
    }

    #[test]
    fn all_refused_tokens_are_answered_alike() {
        let one = problem(&Error::Unauthenticated("expired"), "/");
        let other = problem(&Error::Unauthenticated("a wrong signature"), "/");
        assert_eq!(one.body, other.body);
        assert_eq!(one.headers, other.headers);
        assert_eq!(one.headers[header::WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
    }
}
