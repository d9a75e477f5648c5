//! The HTTP server: connections, backpressure, routing, and an orderly end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use wasmtime_wasi_http::p2::hyper_response_error;

use crate::app::{Answer, App, empty};
use crate::headers::strip_forbidden;
use crate::routes::Router;
use crate::trace::{self, Span};

/// How many requests are worked on at once; more wait their turn. Each may take an instance of the component that its route
/// names and one of a component chained to it, so that the pool of 1,000 instances holds them with room to spare.
const MAX_REQUESTS: usize = 400;

/// How long requests that are under way, and the tasks that they leave behind, may take when the host stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// The paths that belong to the host itself.
const WELL_KNOWN: &str = "/.well-known/spin/";

/// An application that is being served.
pub struct Server {
    app: Arc<App>,
    router: Router,
    /// What `/.well-known/spin/info` answers.
    info: String,
    tcp_nodelay: bool,
    permits: Arc<Semaphore>,
}

impl Server {
    /// A server for `app`. `info` is what is told of it, as JSON.
    pub fn new(app: Arc<App>, router: Router, info: String, tcp_nodelay: bool) -> Arc<Self> {
        Arc::new(Self { app, router, info, tcp_nodelay, permits: Arc::new(Semaphore::new(MAX_REQUESTS)) })
    }

    /// Serves until `stop` resolves, then lets what is under way end. Returns by when it must have ended.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: impl Future<Output = ()>) -> tokio::time::Instant {
        let connections = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, client)) => self.clone().connect(stream, client, &connections),
                    Err(error) => {
                        // Out of file descriptors, mostly: trying again at once would only spin.
                        tracing::error!("cannot accept a connection: {error}");
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                },
                () = &mut stop => break,
            }
        }
        drop(listener);
        let deadline = tokio::time::Instant::now() + SHUTDOWN_GRACE;
        if tokio::time::timeout_at(deadline, connections.shutdown()).await.is_err() {
            tracing::warn!("some requests did not end within {SHUTDOWN_GRACE:?}");
        }
        deadline
    }

    fn connect(self: Arc<Self>, stream: TcpStream, client: SocketAddr, connections: &GracefulShutdown) {
        if let Err(error) = stream.set_nodelay(self.tcp_nodelay) {
            tracing::warn!("cannot set TCP_NODELAY: {error}");
        }
        let service = service_fn(move |request| {
            let server = self.clone();
            async move { server.handle(request, client).await }
        });
        let connection =
            Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!("a connection ended with an error: {error:?}");
            }
        });
    }

    /// Answers one request, in a span of its own. An error closes the connection without an answer, as on Spin.
    async fn handle(&self, mut request: Request<hyper::body::Incoming>, client: SocketAddr) -> Result<Answer> {
        strip_forbidden(request.headers_mut());
        let mut span = trace::incoming(self.app.tracing(), &request);
        let answer = self.answer(request, client, &mut span).await;
        match &answer {
            Ok(answer) => span.answered(answer.status()),
            Err(_) => span.fail("no_answer"),
        }
        answer
    }

    async fn answer(
        &self,
        request: Request<hyper::body::Incoming>,
        client: SocketAddr,
        span: &mut Span,
    ) -> Result<Answer> {
        let path = request.uri().path().to_owned();
        if let Some(page) = path.strip_prefix(WELL_KNOWN) {
            return Ok(self.well_known(page));
        }
        let Some(matched) = self.router.route(&path) else { return Ok(empty(StatusCode::NOT_FOUND)) };
        span.route(request.method(), &matched.raw);
        let permit = self.permits.clone().acquire_owned().await.context("the server has stopped")?;
        let request = request.map(|body| body.map_err(|error| hyper_response_error(error).into()).boxed_unsync());
        let answer = self.app.answer(request, &matched, Scheme::HTTP, client, span.context()).await?;
        // The instance is busy until the last byte is out, and so is the permit.
        Ok(answer.map(|body| {
            let hold = move |error| {
                let _permit = &permit;
                error
            };
            body.map_err(hold).boxed_unsync()
        }))
    }

    fn well_known(&self, page: &str) -> Answer {
        match page {
            "health" => full("OK".into()),
            "info" => {
                let mut answer = full(self.info.clone());
                answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                answer
            }
            _ => empty(StatusCode::NOT_FOUND),
        }
    }
}

fn full(text: String) -> Answer {
    Response::new(Full::new(Bytes::from(text)).map_err(|never: Infallible| match never {}).boxed_unsync())
}
