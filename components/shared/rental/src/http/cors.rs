//! Cross-origin requests (the Fetch standard), and what every answer carries.

use super::Answer;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};

const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, OPTIONS");
const ALLOWED_HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, traceparent");
const EXPOSED_HEADERS: HeaderValue =
    HeaderValue::from_static("ETag, Location, Cache-Status, Content-Length, Content-Disposition");
/// The same with the token of a session.
pub(super) const ALLOWED_HEADERS_OF_A_SESSION: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, traceparent, RentTracker-Session",
);
const EXPOSED_HEADERS_OF_A_SESSION: HeaderValue =
    HeaderValue::from_static("ETag, Location, Cache-Status, Content-Length, Content-Disposition, RentTracker-Session");
/// How long a browser may remember a preflight, in seconds.
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("600");
const YES: HeaderValue = HeaderValue::from_static("true");

/// The answer to OPTIONS. [`finish`] adds the origin.
pub fn preflight(request: &HeaderMap, allowed_origins: &[String], allow: &'static str) -> Answer {
    let mut answer = Answer::empty(StatusCode::NO_CONTENT).with(header::ALLOW, allow);
    if allowed_origin(request, allowed_origins).is_some() {
        let headers = &mut answer.headers;
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
    }
    answer
}

/// Adds what every answer has: the cache directives, the CORS headers for an allowed origin and, unless it has no body by
/// definition, the length. Without that header the body would go out in a second small segment and wait 40 ms for the
/// peer's delayed acknowledgement.
pub fn finish(answer: &mut Answer, request: &HeaderMap, allowed_origins: &[String]) {
    let headers = &mut answer.headers;
    // An error may be gone with the next request, and a client does not revalidate one.
    let is_error = answer.status.is_client_error() || answer.status.is_server_error();
    let caching = if is_error { "no-store" } else { "private, no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("Authorization, Origin"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    if !matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(answer.body.len()));
    }
    if let Some(origin) = allowed_origin(request, allowed_origins) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, YES);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    }
}

/// Lets whom the answer's CORS headers allow something send and read the tokens of sessions too.
pub fn allow_session(headers: &mut HeaderMap) {
    for (name, list) in [
        (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS_OF_A_SESSION),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS_OF_A_SESSION),
    ] {
        if let Some(present) = headers.get_mut(name) {
            *present = list;
        }
    }
}

/// The request's origin, if it is one of ours, and the only one.
fn allowed_origin<'a>(request: &'a HeaderMap, allowed: &[String]) -> Option<&'a HeaderValue> {
    let mut origins = request.get_all(header::ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else {
        return None;
    };
    allowed.iter().any(|ours| ours.as_bytes() == origin.as_bytes()).then_some(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Vec<String> {
        vec!["http://localhost:5112".to_owned()]
    }

    fn request(origin: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))])
    }

    fn finished(status: StatusCode, request: &HeaderMap) -> Answer {
        let mut answer = Answer::empty(status);
        finish(&mut answer, request, &origins());
        answer
    }

    #[test]
    fn an_allowed_origin_is_named_and_another_is_not() {
        let ours = finished(StatusCode::NOT_FOUND, &request("http://localhost:5112")).headers;
        assert_eq!(ours[header::ACCESS_CONTROL_ALLOW_ORIGIN], "http://localhost:5112");
        assert_eq!(ours[header::ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        for foreign in ["http://localhost:5113", "http://localhost:51122", "null", "http://LOCALHOST:5112"] {
            let headers = finished(StatusCode::OK, &request(foreign)).headers;
            assert!(!headers.keys().any(|name| name.as_str().starts_with("access-control")), "{foreign}");
        }
    }

    #[test]
    fn answers_may_be_kept_by_their_client_and_errors_may_not() {
        let caching = |status| finished(status, &HeaderMap::new()).headers[header::CACHE_CONTROL].clone();
        for status in [StatusCode::OK, StatusCode::CREATED, StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
            assert_eq!(caching(status), "private, no-cache", "{status}");
        }
        for status in [StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND, StatusCode::SERVICE_UNAVAILABLE] {
            assert_eq!(caching(status), "no-store", "{status}");
        }
    }

    #[test]
    fn only_answers_without_a_body_lack_a_length() {
        let length = |status| finished(status, &HeaderMap::new()).headers.contains_key(header::CONTENT_LENGTH);
        assert!(length(StatusCode::OK) && length(StatusCode::NOT_FOUND));
        assert!(!length(StatusCode::NO_CONTENT) && !length(StatusCode::NOT_MODIFIED));
    }

    #[test]
    fn sessions_add_one_header_to_each_list_and_to_no_answer_that_has_none() {
        let (mut answer, before) =
            (preflight(&request("http://localhost:5112"), &origins(), "GET"), [ALLOWED_HEADERS, EXPOSED_HEADERS]);
        finish(&mut answer, &request("http://localhost:5112"), &origins());
        allow_session(&mut answer.headers);
        let lists = [header::ACCESS_CONTROL_ALLOW_HEADERS, header::ACCESS_CONTROL_EXPOSE_HEADERS];
        for (name, before) in lists.into_iter().zip(before) {
            let expected = format!("{}, RentTracker-Session", before.to_str().expect("text"));
            assert_eq!(answer.headers[name], expected);
        }
        let mut foreign = finished(StatusCode::OK, &request("http://evil"));
        allow_session(&mut foreign.headers);
        assert!(!foreign.headers.keys().any(|name| name.as_str().starts_with("access-control")));
    }

    #[test]
    fn a_preflight_lists_methods_and_headers_for_ten_minutes() {
        let headers = preflight(&request("http://localhost:5112"), &origins(), "GET").headers;
        assert_eq!(headers[header::ACCESS_CONTROL_MAX_AGE], "600");
        assert_eq!(headers[header::ALLOW], "GET");
        assert!(
            !preflight(&request("http://evil"), &origins(), "GET").headers.contains_key(header::ACCESS_CONTROL_MAX_AGE)
        );
    }
}
