//! The application: its components, and the one place where a request reaches one of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use wasmtime_wasi_http::handler::ErrorCode;

use crate::headers;
use crate::routes::RouteMatch;
use crate::trace::{self, SpanContext, Tracing};

/// A request on its way to a component.
pub type Incoming = Request<UnsyncBoxBody<Bytes, ErrorCode>>;

/// A component's answer.
pub type Answer = Response<UnsyncBoxBody<Bytes, wasmtime::Error>>;

/// A component with its instances.
pub trait Component: Send + Sync {
    /// Answers by one of the instances, whose calls are traced below `span`. An error is a component that failed.
    fn answer(
        &self,
        request: Incoming,
        span: Option<SpanContext>,
    ) -> Pin<Box<dyn Future<Output = Result<Answer>> + Send + '_>>;
}

/// The components of an application.
pub struct App {
    components: BTreeMap<String, Box<dyn Component>>,
    address: SocketAddr,
    tracing: Option<Arc<Tracing>>,
}

impl App {
    /// An application that is reached at `address`.
    pub fn new(
        components: BTreeMap<String, Box<dyn Component>>,
        address: SocketAddr,
        tracing: Option<Arc<Tracing>>,
    ) -> Self {
        Self { components, address, tracing }
    }

    /// What makes spans, if traces are sent.
    pub fn tracing(&self) -> Option<&Arc<Tracing>> {
        self.tracing.as_ref()
    }

    /// Where the host listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers by the component that was matched, in a span below `parent`. A component that fails is a 500; an error is a
    /// request that no component can be given.
    pub async fn answer(
        &self,
        mut request: Incoming,
        matched: &RouteMatch,
        scheme: Scheme,
        client: SocketAddr,
        parent: Option<SpanContext>,
    ) -> Result<Answer> {
        headers::make_absolute(&mut request, scheme)?;
        let component = self.components.get(&*matched.component);
        let component = component.with_context(|| format!("there is no component {:?}", matched.component))?;
        let mut span = trace::component(self.tracing.as_ref(), &matched.component, parent);
        let answer = match headers::add_spin_headers(&mut request, matched, client) {
            Ok(()) => component.answer(request, span.context()).await,
            Err(error) => Err(error),
        };
        Ok(answer.unwrap_or_else(|error| {
            eprintln!("{}: no answer: {error:#}", matched.component);
            span.fail("no_answer");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }))
    }
}

/// An answer of the host's own.
pub fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    answer
}
