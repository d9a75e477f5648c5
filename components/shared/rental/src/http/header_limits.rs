//! How large a request line and a header section may be.
//!
//! The server in front has bounds of its own (hyper's: 100 headers, and some 400 KB in all) and answers beyond them by
//! itself; these are the application's, the same whatever server is in front.

use super::Field;
use crate::error::Error;
use http::Uri;

/// The longest path, in bytes. The longest that the API has is 95, and 20 times that in percent-encoding is still none.
pub const MAX_PATH_BYTES: usize = 2 * 1024;
/// The longest query, in bytes: a search term of 500 characters of 4 bytes, percent-encoded, is 6,000.
pub const MAX_QUERY_BYTES: usize = 8 * 1024;
/// The most header lines that a client may send, `Connection` aside. Browsers send about 20, and each proxy on the way adds a few.
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

/// How the names of [`HOST_HEADERS`] begin.
const HOST_PREFIX: &str = "spin-";
/// Concerns one connection only (RFC 9110, section 7.6.1). Spin 4.1 removes it, Spin 4.0 passes it to the component.
const CONNECTION: &str = "connection";
const AUTHORIZATION: &str = "authorization";

/// Which headers of a request are the host's own. The components read none of them, and they do not count for a client.
#[derive(Debug)]
struct HostHeaders([Option<usize>; HOST_HEADERS.len()]);

impl HostHeaders {
    /// Finds them among all names of a request, in their order.
    fn among<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut found = Self([None; HOST_HEADERS.len()]);
        for (index, name) in names.enumerate().filter(|(_, name)| name.starts_with(HOST_PREFIX)) {
            let place = HOST_HEADERS.iter().zip(&mut found.0).find(|(host, _)| **host == name);
            // The last by this name is the host's.
            if let Some((_, place)) = place {
                *place = Some(index);
            }
        }
        found
    }

    /// Whether the header at `index`, which has this name, is left out: the host's own, or `Connection`.
    fn leaves_out(&self, index: usize, name: &str) -> bool {
        name == CONNECTION || (name.starts_with(HOST_PREFIX) && self.0.contains(&Some(index)))
    }
}

/// Passes a request whose client has kept to the limits. `fields` are all that the host has given with it.
///
/// # Errors
/// [`Error::UriTooLong`] and [`Error::HeadersTooLarge`].
pub fn check_limits(uri: &Uri, fields: &[Field]) -> Result<(), Error> {
    let query = uri.query().unwrap_or_default();
    if uri.path().len() > MAX_PATH_BYTES || query.len() > MAX_QUERY_BYTES {
        return Err(Error::UriTooLong);
    }
    // Nearly always all of them together are few enough, and then it does not matter whose each is.
    if is_within_limits(fields.iter()) {
        return Ok(());
    }
    let of_host = HostHeaders::among(fields.iter().map(|(name, _)| name.as_str()));
    let of_client = fields.iter().enumerate().filter(|(index, (name, _))| !of_host.leaves_out(*index, name));
    if is_within_limits(of_client.map(|(_, field)| field)) { Ok(()) } else { Err(Error::HeadersTooLarge) }
}

fn is_within_limits<'a>(fields: impl Iterator<Item = &'a Field>) -> bool {
    let (mut count, mut bytes) = (0, 0);
    for (name, value) in fields {
        count += 1;
        if name != AUTHORIZATION {
            bytes += name.len() + value.len();
        }
    }
    count <= MAX_HEADERS && bytes <= MAX_HEADER_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, headers: &[(&str, usize)], expected: Result<(), Error>) {
        let uri = target.parse().expect("a target");
        let fields: Vec<Field> =
            headers.iter().map(|(name, length)| ((*name).to_owned(), vec![b'x'; *length])).collect();
        assert_eq!(check_limits(&uri, &fields), expected, "{target:.40} {headers:?}");
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
    fn what_the_host_adds_does_not_count_for_the_client() {
        let beside_the_host = |(name, length): (&'static str, usize), count: usize| {
            let own = HOST_HEADERS.map(|name| (name, MAX_QUERY_BYTES));
            [vec![(name, length); count], own.to_vec(), vec![(CONNECTION, 1)]].concat()
        };
        check("/", &beside_the_host(("x", MAX_HEADER_BYTES - 1), 1), Ok(()));
        check("/", &beside_the_host(("x", MAX_HEADER_BYTES), 1), Err(Error::HeadersTooLarge));
        check("/", &beside_the_host(("x", 1), MAX_HEADERS), Ok(()));
        check("/", &beside_the_host(("x", 1), MAX_HEADERS + 1), Err(Error::HeadersTooLarge));
    }

    #[test]
    fn only_the_last_header_of_each_name_that_the_host_uses_is_the_hosts() {
        let names = ["accept", "spin-full-url", "spin-full-url", "spin-other", "connection", "spin-client-addr"];
        let host = HostHeaders::among(names.into_iter());
        let of_host: Vec<usize> =
            (0..).zip(names).filter(|(index, name)| host.leaves_out(*index, name)).map(|it| it.0).collect();
        assert_eq!(of_host, [2, 4, 5], "a client that sends such names itself sends headers like any others");
    }
}
