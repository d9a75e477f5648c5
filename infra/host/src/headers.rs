//! What Spin does to a request's URI and headers before a component sees it.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use http::header::{CONNECTION, HOST};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};

use crate::outbound::chaining_target;
use crate::routes::RouteMatch;

/// The headers with the route that a component was reached by. A named segment has one more.
const PATH_INFO: HeaderName = HeaderName::from_static("spin-path-info");
const FULL_URL: HeaderName = HeaderName::from_static("spin-full-url");
const MATCHED_ROUTE: HeaderName = HeaderName::from_static("spin-matched-route");
const BASE_PATH: HeaderName = HeaderName::from_static("spin-base-path");
const RAW_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-raw-component-route");
const COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-component-route");
const CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");
/// How many they are.
const ROUTE_HEADERS: usize = 7;

/// Removes what a client must not set: `Connection`, and a `Host` that names a component. What `Connection` names stays, as on Spin 4.1.
pub fn strip_forbidden(headers: &mut HeaderMap) {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if host.is_some_and(|host| chaining_target(host).is_some()) {
        headers.remove(HOST);
    }
    headers.remove(CONNECTION);
}

/// Makes the URI absolute. The authority is the `Host` header's or the URI's, and they must not disagree.
pub fn make_absolute<B>(request: &mut Request<B>, scheme: Scheme) -> Result<()> {
    let host = match request.headers().get(HOST) {
        Some(host) => Some(host.to_str()?.parse::<Authority>().context("the Host header is not an authority")?),
        None => None,
    };
    let mut parts = request.uri().clone().into_parts();
    if let (Some(host), Some(authority)) = (&host, &parts.authority) {
        ensure!(host == authority, "the Host header and the request's URI name different authorities");
    }
    parts.authority = Some(host.or(parts.authority).context("the request has no Host header")?);
    parts.scheme = Some(scheme);
    // `*` (OPTIONS) has no place in an absolute URI, and CONNECT has no path at all.
    *request.uri_mut() = Uri::from_parts(parts).context("the request's URI cannot be made absolute")?;
    Ok(())
}

/// Adds the headers with the route that a component was reached by. The URI is absolute already.
///
/// If the client sent a header of such a name, its value stays before the true one, as in Spin: do not trust the first.
pub fn add_spin_headers<B>(request: &mut Request<B>, matched: &RouteMatch, client: SocketAddr) -> Result<()> {
    for value in request.headers().values() {
        std::str::from_utf8(value.as_bytes()).context("a header is not UTF-8")?;
    }
    let uri = request.uri();
    let path = uri.path_and_query().context("the request has no path")?.as_str();
    let host = request.headers().get(HOST).map_or(Ok("localhost"), |host| std::str::from_utf8(host.as_bytes()))?;
    let full_url = format!("{}://{host}{path}", uri.scheme_str().unwrap_or("http"));
    let headers = request.headers_mut();
    headers.reserve(ROUTE_HEADERS + matched.named.len());
    // Spin too leaves a header out whose name or value HTTP does not allow.
    let mut add = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            headers.append(name, value);
        }
    };
    add(PATH_INFO, &matched.path_info);
    add(FULL_URL, &full_url);
    add(MATCHED_ROUTE, &matched.based);
    add(BASE_PATH, "/");
    add(RAW_COMPONENT_ROUTE, &matched.raw);
    add(COMPONENT_ROUTE, matched.raw_prefix());
    add(CLIENT_ADDR, &client.to_string());
    for (name, value) in &matched.named {
        if let Ok(name) = format!("spin-path-match-{}", name.to_ascii_lowercase().replace('_', "-")).parse() {
            add(name, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        headers.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value)).body(()).unwrap()
    }

    #[test]
    fn the_connection_header_and_a_components_host_are_dropped() {
        let mut request = request("/", &[("host", "a.spin.internal:80"), ("connection", "close"), ("accept", "*/*")]);
        strip_forbidden(request.headers_mut());
        assert_eq!(request.headers().keys().collect::<Vec<_>>(), ["accept"]);
        let mut request = self::request("/", &[("host", "h"), ("connection", "X-Hop, close"), ("x-hop", "1")]);
        strip_forbidden(request.headers_mut());
        assert_eq!(request.headers().keys().collect::<Vec<_>>(), ["host", "x-hop"]);
        let mut request = self::request("/", &[("host", "example.com")]);
        strip_forbidden(request.headers_mut());
        assert!(request.headers().contains_key(HOST));
    }

    #[test]
    fn the_uri_takes_its_authority_from_the_host_header_or_has_its_own() {
        let check = |uri: &str, headers: &[(&str, &str)], expected: Option<&str>| {
            let mut request = request(uri, headers);
            let made = make_absolute(&mut request, Scheme::HTTP);
            assert_eq!(made.ok().map(|()| request.uri().to_string()).as_deref(), expected, "{uri} {headers:?}");
        };
        check("/x?y=1", &[("host", "example.com:81")], Some("http://example.com:81/x?y=1"));
        check("http://a/x", &[], Some("http://a/x"));
        check("http://a/x", &[("host", "a")], Some("http://a/x"));
        check("http://a/x", &[("host", "b")], None);
        check("/x", &[], None);
        check("/x", &[("host", "not a host")], None);
    }

    #[test]
    fn a_component_is_told_how_it_was_reached() {
        let matched = RouteMatch {
            component: "c".into(),
            raw: "/p/:propertyId/...".into(),
            based: "/p/:propertyId/...".into(),
            path_info: "/rest".into(),
            named: vec![("propertyId".into(), "7".into())],
        };
        let mut request = request("http://example.com/p/7/rest?q=1", &[("host", "example.com")]);
        add_spin_headers(&mut request, &matched, "127.0.0.1:9".parse().unwrap()).unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert_eq!(header("spin-path-info"), "/rest");
        assert_eq!(header("spin-full-url"), "http://example.com/p/7/rest?q=1");
        assert_eq!(header("spin-matched-route"), "/p/:propertyId/...");
        assert_eq!(header("spin-base-path"), "/");
        assert_eq!(header("spin-raw-component-route"), "/p/:propertyId/...");
        assert_eq!(header("spin-component-route"), "/p/:propertyId");
        assert_eq!(header("spin-client-addr"), "127.0.0.1:9");
        assert_eq!(header("spin-path-match-propertyid"), "7");
    }

    #[test]
    fn a_forged_spin_header_does_not_replace_the_true_one() {
        let mut request = request("http://h/", &[("host", "h"), ("spin-path-info", "/forged")]);
        add_spin_headers(&mut request, &RouteMatch::chained("c", "/true"), "0.0.0.0:0".parse().unwrap()).unwrap();
        let values: Vec<_> = request.headers().get_all("spin-path-info").iter().collect();
        assert_eq!(values, ["/forged", "/true"]);
    }

    #[test]
    fn a_header_that_is_not_utf8_is_an_error() {
        let mut request = request("http://h/", &[]);
        request.headers_mut().insert("x", HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(add_spin_headers(&mut request, &RouteMatch::chained("c", "/"), "0.0.0.0:0".parse().unwrap()).is_err());
    }
}
