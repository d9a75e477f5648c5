//! What a request with a body must look like before its body is read.

use crate::error::Error;
use http::{HeaderMap, header};

/// The largest body of a request, in bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Checks the headers of a POST or PUT.
///
/// # Errors
/// [`Error::UnsupportedMediaType`] for a body that is not JSON or that is encoded; [`Error::TooLarge`] when its
/// announced length is above [`MAX_BODY_BYTES`].
pub fn check_body_headers(headers: &HeaderMap) -> Result<(), Error> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Error::UnsupportedMediaType("send the body without Content-Encoding"));
    }
    if !text(header::CONTENT_TYPE).is_some_and(is_json) {
        return Err(Error::UnsupportedMediaType("send the body as application/json"));
    }
    let announced = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(Error::TooLarge);
    }
    Ok(())
}

/// `application/json` or a type with the suffix `+json` (RFC 6839), with or without parameters.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some((kind, subtype)) = essence.split_once('/') else {
        return false;
    };
    !kind.is_empty() && (essence == "application/json" || (subtype.len() > "+json".len() && subtype.ends_with("+json")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(header::HeaderName, &str)], expected: Result<(), &str>) {
        let map = headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header value"))).collect();
        let actual = check_body_headers(&map).map_err(|error| match error {
            Error::TooLarge => "too large",
            _ => "media type",
        });
        assert_eq!(actual, expected, "{headers:?}");
    }

    #[test]
    fn only_plain_json_of_a_bounded_size_is_read() {
        let json = |kind| [(header::CONTENT_TYPE, kind)];
        check(&json("application/json"), Ok(()));
        check(&json("Application/JSON; charset=utf-8"), Ok(()));
        check(&json("application/merge-patch+json"), Ok(()));
        check(&json("text/plain"), Err("media type"));
        check(&json("application/jsonp"), Err("media type"));
        check(&json("json"), Err("media type"));
        check(&json("application/+json"), Err("media type"));
        check(&[], Err("media type"));
        let with = |name, value| [(header::CONTENT_TYPE, "application/json"), (name, value)];
        check(&with(header::CONTENT_ENCODING, "gzip"), Err("media type"));
        check(&with(header::CONTENT_LENGTH, "1048576"), Ok(()));
        check(&with(header::CONTENT_LENGTH, "1048577"), Err("too large"));
    }
}
