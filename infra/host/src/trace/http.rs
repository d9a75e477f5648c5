//! Requests: those that come in, the component that answers one, and those that a component sends.

use std::sync::Arc;

use http::{Request, StatusCode};
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

/// Begins the span of a request that a client sent. Its parent is the client's `traceparent`. The query is left out: it has what
/// a tenant searches for.
pub fn incoming<B>(tracing: Option<&Arc<Tracing>>, request: &Request<B>) -> Span {
    let Some(tracing) = tracing else { return Span::none() };
    let method = request.method().to_string();
    let attributes = vec![
        KeyValue::new(METHOD, method.clone()),
        KeyValue::new(PATH, request.uri().path().to_owned()),
        KeyValue::new(SCHEME, "http"),
    ];
    tracing.begin(method.into(), SpanKind::Server, tracing.parent(request.headers()), attributes)
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
    let method = request.method().to_string();
    let mut attributes = vec![KeyValue::new(METHOD, method.clone())];
    if let Some(authority) = request.uri().authority() {
        attributes.push(KeyValue::new(SERVER_ADDRESS, authority.host().to_owned()));
        attributes.extend(authority.port_u16().map(|port| KeyValue::new(SERVER_PORT, i64::from(port))));
    }
    let span = traces.tracing().begin(method.into(), SpanKind::Client, parent, attributes);
    if let Some(context) = span.context() {
        traces.tracing().hand_on(&context, request.headers_mut());
    }
    span
}

impl Span {
    /// Names the route that a request took.
    pub fn route(&mut self, method: &http::Method, route: &str) {
        self.rename(|| format!("{method} {route}"));
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
