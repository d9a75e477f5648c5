//! Requests: those that come in, the component that answers one, and those that a component sends.

use std::sync::Arc;

use http::{Method, Request, StatusCode};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, SpanKind};

use super::{InstanceTraces, Span, Tracing};

const METHOD: &str = "http.request.method";
const PATH: &str = "url.path";
const SCHEME: &str = "url.scheme";
const ROUTE: &str = "http.route";
const STATUS: &str = "http.response.status_code";
const SERVER_ADDRESS: &str = "server.address";
const SERVER_PORT: &str = "server.port";

/// The longest path in a span, in bytes; a longer one is cut. The application refuses longer ones (its `MAX_PATH_BYTES`), but hyper
/// takes URIs of 64 KB: 32 MB in a batch of 512 spans.
const MAX_PATH_BYTES: usize = 2 << 10;
/// The attribute of a method that is not a standard one, and its part of the span's name (OpenTelemetry's semantic conventions).
/// The method itself is left out: it is a client's text, of any length.
const OTHER_METHOD: (&str, &str) = ("_OTHER", "HTTP");

/// Begins the span of a request that a client sent. Its parent is the client's `traceparent`. The query is left out: it has what
/// a tenant searches for.
pub fn incoming<B>(tracing: Option<&Arc<Tracing>>, request: &Request<B>) -> Span {
    let Some(tracing) = tracing else { return Span::none() };
    let (method, name) = method(request.method());
    let path = request.uri().path();
    let attributes = vec![
        KeyValue::new(METHOD, method),
        KeyValue::new(PATH, path[..path.floor_char_boundary(MAX_PATH_BYTES)].to_owned()),
        KeyValue::new(SCHEME, "http"),
    ];
    tracing.begin(name.into(), SpanKind::Server, tracing.parent(request.headers()), attributes)
}

/// Begins the span of a component's work on a request.
pub fn component(tracing: Option<&Arc<Tracing>>, id: &str, parent: Option<SpanContext>) -> Span {
    let Some(tracing) = tracing else { return Span::none() };
    tracing.begin(format!("execute_wasm_component {id}").into(), SpanKind::Internal, parent, Vec::new())
}

/// Begins the span of a request that a component sends, and makes it the parent of what the receiver does. The URL is left out,
/// but for the host: its path and query are the component's.
pub fn outgoing<B>(
    traces: Option<&Arc<InstanceTraces>>,
    parent: Option<SpanContext>,
    request: &mut Request<B>,
) -> Span {
    let Some(traces) = traces else { return Span::none() };
    let (method, name) = method(request.method());
    let mut attributes = vec![KeyValue::new(METHOD, method)];
    if let Some(authority) = request.uri().authority() {
        attributes.push(KeyValue::new(SERVER_ADDRESS, authority.host().to_owned()));
        attributes.extend(authority.port_u16().map(|port| KeyValue::new(SERVER_PORT, i64::from(port))));
    }
    let span = traces.tracing().begin(name.into(), SpanKind::Client, parent, attributes);
    if let Some(context) = span.context() {
        traces.tracing().hand_on(&context, request.headers_mut());
    }
    span
}

/// A method as the attribute has it, and as the span's name has it.
fn method(method: &Method) -> (&'static str, &'static str) {
    const STANDARD: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::CONNECT,
        Method::OPTIONS,
        Method::TRACE,
        Method::PATCH,
    ];
    const { &STANDARD }.iter().find(|standard| *standard == method).map_or(OTHER_METHOD, |standard| {
        let name = standard.as_str();
        (name, name)
    })
}

impl Span {
    /// Names the route that a request took.
    pub fn route(&mut self, method: &Method, route: &str) {
        self.rename(|| format!("{} {route}", self::method(method).1));
        self.set_text(ROUTE, route);
    }

    /// Says how a request was answered. A failure of the server's is a failed span.
    pub fn answered(&mut self, status: StatusCode) {
        self.set(STATUS, i64::from(status.as_u16()));
        if status.is_server_error() {
            self.fail(status.as_str().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::trace::SpanData;

    use super::*;

    /// The span of this request, after it took `route`.
    fn span(method: &str, path: &str, route: &str) -> SpanData {
        let tracing = Arc::new(Tracing::unsent());
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        let mut span = incoming(Some(&tracing), &request);
        if !route.is_empty() {
            span.route(request.method(), route);
        }
        span.data().unwrap()
    }

    fn attribute(span: &SpanData, name: &str) -> String {
        span.attributes.iter().find(|attribute| attribute.key.as_str() == name).unwrap().value.to_string()
    }

    #[test]
    fn a_standard_method_is_named_and_any_other_is_other() {
        let check = |given: &str, route: &str, method: &str, name: &str| {
            let span = span(given, "/", route);
            assert_eq!((attribute(&span, METHOD).as_str(), &*span.name), (method, name), "{given}");
        };
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] {
            check(method, "", method, method);
        }
        check("PUT", "/api/properties/:propertyId", "PUT", "PUT /api/properties/:propertyId");
        check("get", "", "_OTHER", "HTTP");
        check(&"M".repeat(10_000), "/...", "_OTHER", "HTTP /...");
    }

    #[test]
    fn a_long_path_is_cut() {
        let check = |path: &str, expected: &str| assert_eq!(attribute(&span("GET", path, ""), PATH), expected);
        let longest = format!("/{}", "a".repeat(MAX_PATH_BYTES - 1));
        check(&longest, &longest);
        check(&format!("{longest}b"), &longest);
        // A character is not cut: this one has two bytes, and the second is one too many.
        check(&format!("{}\u{e4}", &longest[..MAX_PATH_BYTES - 1]), &longest[..MAX_PATH_BYTES - 1]);
    }
}
