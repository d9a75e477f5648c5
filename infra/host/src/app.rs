//! The application: its components, and the one place where a request reaches one of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use wasmtime_wasi_http::handler::{ErrorCode, ProxyHandler};

use crate::component::{Instantiator, Loaded, Shared};
use crate::headers;
use crate::routes::RouteMatch;

/// A request on its way to a component.
pub type Incoming = Request<UnsyncBoxBody<Bytes, ErrorCode>>;

/// A component's answer.
pub type Answer = Response<UnsyncBoxBody<Bytes, wasmtime::Error>>;

/// The components of an application, each with its instances.
pub struct App {
    components: BTreeMap<String, ProxyHandler<Instantiator>>,
    address: SocketAddr,
}

impl App {
    /// An application that is reached at `address`.
    pub fn new(loaded: BTreeMap<String, Loaded>, shared: Shared, address: SocketAddr) -> Arc<Self> {
        Arc::new_cyclic(|app| {
            let handler = |loaded| ProxyHandler::new(Instantiator::new(loaded, shared.clone(), app.clone()));
            let components = loaded.into_iter().map(|(id, loaded)| (id, handler(loaded))).collect();
            Self { components, address }
        })
    }

    /// Where the host listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the component that was matched answer. A component that fails is a 500; an error is a request that cannot be
    /// put to any component.
    pub async fn answer(
        &self,
        mut request: Incoming,
        matched: &RouteMatch,
        scheme: Scheme,
        client: SocketAddr,
    ) -> Result<Answer> {
        headers::make_absolute(&mut request, scheme)?;
        let handler = self.components.get(&matched.component);
        let handler = handler.with_context(|| format!("there is no component {:?}", matched.component))?;
        let answer = match headers::add_spin_headers(&mut request, matched, client) {
            Ok(()) => handler.handle((), request).await.map_err(anyhow::Error::from),
            Err(error) => Err(error),
        };
        Ok(answer.unwrap_or_else(|error| {
            eprintln!("{}: no answer: {error:#}", matched.component);
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
