//! What comes before the body of a request: it is checked whole, and read as far as the API reads it.

use super::{Field, check_limits};
use crate::domain::Violations;
use crate::error::Error;
use http::header::{self, HeaderName, InvalidHeaderValue};
use http::{HeaderMap, HeaderValue, Uri};

/// Headers of which there is one at most (RFC 9110, section 5.3), and whose first and last could mean different things to us
/// and to proxies in front. `Idempotency-Key` is checked where it is read, and `Content-Length` by the platform. Those that
/// are lists are read as one (`If-Match`, `If-None-Match`).
const SINGLETONS: [(&str, &str); 3] =
    [("authorization", "Authorization"), ("content-type", "Content-Type"), ("origin", "Origin")];

/// Every header that the API reads. A client sends many that it does not (a browser some fifteen), and the host adds eight: those are held
/// to the limits and go no further, because to put one into a map takes some 1,000 instructions of WebAssembly.
static READ: [(&str, HeaderName); 12] = [
    ("access-control-request-method", header::ACCESS_CONTROL_REQUEST_METHOD),
    ("authorization", header::AUTHORIZATION),
    ("content-encoding", header::CONTENT_ENCODING),
    ("content-length", header::CONTENT_LENGTH),
    ("content-type", header::CONTENT_TYPE),
    ("cookie", header::COOKIE),
    ("idempotency-key", HeaderName::from_static("idempotency-key")),
    ("if-match", header::IF_MATCH),
    ("if-none-match", header::IF_NONE_MATCH),
    ("origin", header::ORIGIN),
    ("renttracker-session", HeaderName::from_static("renttracker-session")),
    ("traceparent", HeaderName::from_static("traceparent")),
];

/// Checks what comes before the body, the same for every method and path. `fields` are all that the host has given, with their names
/// in lower case.
///
/// # Errors
/// Those of [`check_limits`], and [`Error::Invalid`] naming a header that stands twice.
pub fn check_head(uri: &Uri, fields: &[Field]) -> Result<(), Error> {
    check_limits(uri, fields)?;
    let mut violations = Violations::default();
    for (name, shown) in &SINGLETONS {
        if fields.iter().filter(|(its, _)| its == name).nth(1).is_some() {
            violations.add(shown, "must not be given more than once");
        }
    }
    if violations.is_empty() { Ok(()) } else { Err(violations.into()) }
}

/// The headers that the API reads, of all that the host has given. Nothing else of a request's headers reaches a handler.
///
/// # Errors
/// When a value is none that HTTP knows. The platform has parsed it before, so that does not happen.
pub fn headers_read(fields: Vec<Field>) -> Result<HeaderMap, InvalidHeaderValue> {
    let mut headers = HeaderMap::with_capacity(READ.len());
    for (name, value) in fields {
        if let Some((_, name)) = READ.iter().find(|(read, _)| *read == name) {
            headers.append(name, HeaderValue::try_from(value)?);
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::super::cors::ALLOWED_HEADERS_OF_A_SESSION;
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Vec<Field> {
        lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_header_that_may_stand_once_stands_once() {
        for (name, is_refused) in [
            ("Authorization", true),
            ("Content-Type", true),
            ("Origin", true),
            ("Accept", false),
            ("If-Match", false),
            ("If-None-Match", false),
            ("traceparent", false),
        ] {
            // The same twice is no better: a proxy in front may have read the other one.
            for second in ["a", "b"] {
                let lower = name.to_ascii_lowercase();
                let checked =
                    check_head(&Uri::from_static("/"), &fields(&[("x", "a"), (&lower, "a"), (&lower, second)]));
                let refused = |error: Error| matches!(&error, Error::Invalid(it) if it.by_member().contains_key(name));
                assert_eq!(checked.err().is_some_and(refused), is_refused, "{name}");
            }
        }
    }

    #[test]
    fn every_header_that_a_page_elsewhere_may_send_is_read() {
        let allowed = ALLOWED_HEADERS_OF_A_SESSION.to_str().expect("names").to_ascii_lowercase();
        for name in allowed.split(", ") {
            assert!(READ.iter().any(|(read, _)| *read == name), "{name}");
        }
    }

    #[test]
    fn each_header_that_is_read_is_found_by_its_name() {
        for (name, header) in &READ {
            assert_eq!(*name, header.as_str());
        }
    }

    #[test]
    fn what_is_read_is_kept_with_all_its_lines_and_nothing_else_is() {
        let lines =
            [("x-own", "1"), ("if-match", "\"1\""), ("spin-full-url", "/"), ("if-match", "\"2\""), ("origin", "o")];
        let headers = headers_read(fields(&lines)).expect("headers");
        let kept: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(kept, [("if-match", b"\"1\"".as_slice()), ("if-match", b"\"2\""), ("origin", b"o")]);
        assert!(headers_read(fields(&[("origin", "a\nb")])).is_err());
    }
}
