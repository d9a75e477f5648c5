//! How large a request line and a header section may be.
//!
//! The server in front has bounds of its own (hyper's: 100 headers, and some 400 KB in all) and answers beyond them by
//! itself; these are the application's, the same whatever server is in front.

use crate::error::Error;
use http::HeaderMap;
use http::header;
use http::request::Parts;

/// The longest path, in bytes. The longest that the API has is 95, and 20 times that in percent-encoding is still none.
pub const MAX_PATH_BYTES: usize = 2 * 1024;
/// The longest query, in bytes: a search term of 500 characters of 4 bytes, percent-encoded, is 6,000.
pub const MAX_QUERY_BYTES: usize = 8 * 1024;
/// The most header lines that a client may send, `Connection` aside, which the host keeps for itself. Browsers send about 20,
/// and each proxy on the way adds a few.
pub const MAX_HEADERS: usize = 64;
/// The longest header section, in bytes of names and values: twice what common proxies let through. `Authorization` is
/// not counted: the reader of the token bounds it, and answers 401.
pub const MAX_HEADER_BYTES: usize = 32 * 1024;

/// What the host tells a component beside the client's headers, each once and behind what the client sent by the same name
/// (Spin 4.1; `infra/host/src/headers.rs`). One of them is the whole URL once more.
const HOST_HEADERS: [&str; 9] = [
    "spin-path-info",
    "spin-full-url",
    "spin-matched-route",
    "spin-base-path",
    "spin-raw-component-route",
    "spin-component-route",
    "spin-client-addr",
    "spin-path-match-propertyid",
    "spin-path-match-paymentid",
];

/// Passes a request whose client has kept to the limits.
///
/// # Errors
/// [`Error::UriTooLong`] and [`Error::HeadersTooLarge`].
pub fn check_limits(parts: &Parts) -> Result<(), Error> {
    let query = parts.uri.query().unwrap_or_default();
    if parts.uri.path().len() > MAX_PATH_BYTES || query.len() > MAX_QUERY_BYTES {
        return Err(Error::UriTooLong);
    }
    let counted = parts.headers.iter().filter(|(name, _)| **name != header::AUTHORIZATION);
    let bytes: usize = counted.map(|(name, value)| name.as_str().len() + value.len()).sum();
    let fits = |lines, bytes| lines <= MAX_HEADERS && bytes <= MAX_HEADER_BYTES;
    // Almost every request fits with the host's share: which that is, is only asked where it does not.
    if fits(parts.headers.len(), bytes) {
        return Ok(());
    }
    let (of_host, bytes_of_host) = share_of_host(&parts.headers);
    if fits(parts.headers.len() - of_host, bytes - bytes_of_host) { Ok(()) } else { Err(Error::HeadersTooLarge) }
}

/// How many header lines are the host's, and how long they are.
fn share_of_host(headers: &HeaderMap) -> (usize, usize) {
    let lengths =
        HOST_HEADERS.iter().filter_map(|name| Some(name.len() + headers.get_all(*name).iter().next_back()?.len()));
    lengths.fold((0, 0), |(lines, bytes), length| (lines + 1, bytes + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, headers: &[(&str, usize)], expected: Result<(), Error>) {
        let mut request = http::Request::get(target);
        for (name, length) in headers {
            request = request.header(*name, "x".repeat(*length));
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        assert_eq!(check_limits(&parts), expected, "{target:.40} {headers:?}");
    }

    #[test]
    fn a_path_and_a_query_have_their_longest() {
        let path = |length: usize| format!("/{}", "x".repeat(length - 1));
        check(&path(MAX_PATH_BYTES), &[], Ok(()));
        check(&path(MAX_PATH_BYTES + 1), &[], Err(Error::UriTooLong));
        check(&format!("/?{}", "x".repeat(MAX_QUERY_BYTES)), &[], Ok(()));
        check(&format!("/?{}", "x".repeat(MAX_QUERY_BYTES + 1)), &[], Err(Error::UriTooLong));
    }

    #[test]
    fn headers_are_counted_and_measured_but_for_the_token() {
        check("/", &[("x", MAX_HEADER_BYTES - 1)], Ok(()));
        check("/", &[("x", MAX_HEADER_BYTES)], Err(Error::HeadersTooLarge));
        check("/", &[("x", MAX_HEADER_BYTES / 2), ("y", MAX_HEADER_BYTES / 2)], Err(Error::HeadersTooLarge));
        check("/", &[("authorization", 2 * MAX_HEADER_BYTES)], Ok(()));
        check("/", &[("x", 1); MAX_HEADERS], Ok(()));
        check("/", &[("x", 1); MAX_HEADERS + 1], Err(Error::HeadersTooLarge));
    }

    #[test]
    fn headers_that_the_host_adds_do_not_count() {
        let of_host = HOST_HEADERS.map(|name| (name, 1_000));
        let with_host = |of_client: &[(&'static str, usize)], expected| {
            check("/", &[of_client, &of_host].concat(), expected);
        };
        with_host(&[("x", 1); MAX_HEADERS], Ok(()));
        with_host(&[("x", 1); MAX_HEADERS + 1], Err(Error::HeadersTooLarge));
        with_host(&[("x", MAX_HEADER_BYTES - 1)], Ok(()));
        with_host(&[("x", MAX_HEADER_BYTES)], Err(Error::HeadersTooLarge));
        // A client that sends such names itself sends headers like any others.
        let name = "spin-full-url";
        with_host(&[(name, 1); MAX_HEADERS], Ok(()));
        with_host(&[(name, 1); MAX_HEADERS + 1], Err(Error::HeadersTooLarge));
        with_host(&[(name, MAX_HEADER_BYTES - name.len())], Ok(()));
        with_host(&[(name, MAX_HEADER_BYTES + 1 - name.len())], Err(Error::HeadersTooLarge));
        with_host(&[("spin-other", MAX_HEADER_BYTES)], Err(Error::HeadersTooLarge));
    }
}
