//! Outgoing HTTP: the allow-list, service chaining, and the network for all other requests.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{RequestOptions, WasiHttpHooks, default_send_request};

use crate::app::App;
use crate::outbound::{AllowList, chaining_target};
use crate::routes::RouteMatch;
use crate::trace::{self, InstanceTraces, Span, SpanContext};

/// The client address of a request that another component sent.
const CHAINED_CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The host that stands for the application itself where an SDK insists on one.
const SELF_HOST: &str = "self.alt";

type Body = UnsyncBoxBody<Bytes, ErrorCode>;
type Done = Box<dyn Future<Output = Result<(), ErrorCode>> + Send>;
type Sent = Result<(Response<Body>, Done), TrappableError<ErrorCode>>;

/// What happens to the HTTP requests that a component sends.
pub struct OutgoingHttp {
    /// What the component may reach.
    pub allowed: Arc<AllowList>,
    /// The application, for the components that may be reached in memory. Weak: the application owns the instances.
    pub app: Weak<App>,
    /// The spans of the requests that the instance answers, if traces are sent.
    pub traces: Option<Arc<InstanceTraces>>,
    /// Which of them sends the request that goes out now.
    pub caller: Option<SpanContext>,
}

impl OutgoingHttp {
    /// For an instance that may reach what is `allowed`.
    pub fn new(allowed: Arc<AllowList>, app: Weak<App>, traces: Option<Arc<InstanceTraces>>) -> Self {
        Self { allowed, app, traces, caller: None }
    }
}

impl WasiHttpHooks for OutgoingHttp {
    fn send_request(
        &mut self,
        mut request: Request<Body>,
        options: Option<RequestOptions>,
        // The outcome of the component's work on the response. It is not used.
        _processed: Done,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (allowed, app) = (self.allowed.clone(), self.app.clone());
        let mut span = trace::outgoing(self.traces.as_ref(), self.caller.take(), &mut request);
        Box::new(async move {
            let app = app
                .upgrade()
                .ok_or_else(|| TrappableError::trap(wasmtime::format_err!("the application has stopped")))?;
            let sent = send(request, options, &allowed, &app, &span).await;
            match &sent {
                Ok((response, _)) => span.answered(response.status()),
                Err(_) => span.fail("no_answer"),
            }
            sent
        })
    }
}

async fn send(
    mut request: Request<Body>,
    options: Option<RequestOptions>,
    allowed: &AllowList,
    app: &Arc<App>,
    span: &Span,
) -> Sent {
    if is_to_self(request.uri()) {
        if !allowed.allows_self() {
            return Err(ErrorCode::HttpRequestDenied.into());
        }
        direct_to(app.address(), &mut request)?;
    } else if !allowed.allows(&request.uri().to_string(), "https") {
        return Err(ErrorCode::HttpRequestDenied.into());
    }
    if let Some(component) = request.uri().authority().and_then(|authority| chaining_target(authority.host())) {
        let component = component.to_owned();
        return chain(&component, request, app, span).await;
    }
    let (response, io) = default_send_request(request, options).await?;
    Ok((response.map(BodyExt::boxed_unsync), Box::new(io)))
}

/// Hands the request to a component of this application, private or not, without a socket.
async fn chain(component: &str, mut request: Request<Body>, app: &Arc<App>, span: &Span) -> Sent {
    // The host's name exists only here; the component that answers does not see it.
    request.headers_mut().remove(HOST);
    let matched = RouteMatch::chained(component, request.uri().path());
    let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
    // A component that is not there ends its caller, as on Spin; one that fails answers 500.
    let response = app
        .answer(request, &matched, Scheme::HTTP, CHAINED_CLIENT, span.context())
        .await
        .map_err(|error| TrappableError::trap(wasmtime::format_err!("{error:#}")))?;
    let to_code = |error: wasmtime::Error| match error.downcast::<ErrorCode>() {
        Ok(code) => code,
        Err(error) => ErrorCode::InternalError(Some(error.to_string())),
    };
    Ok((response.map(|body| body.map_err(to_code).boxed_unsync()), Box::new(async { Ok(()) })))
}

/// A request without an authority is to the application itself. The WASI layer makes `:443` or `:80` of it.
fn is_to_self(uri: &Uri) -> bool {
    uri.authority().is_none_or(|authority| authority.host().is_empty() || authority.host() == SELF_HOST)
}

/// Points the request at the host's own listener.
fn direct_to(address: SocketAddr, request: &mut Request<Body>) -> Result<(), ErrorCode> {
    let invalid = || ErrorCode::HttpRequestUriInvalid;
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(address.to_string().parse::<Authority>().map_err(|_| invalid())?);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| invalid())?;
    let host = address.to_string().parse().map_err(|_| invalid())?;
    request.headers_mut().insert(HOST, host);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_a_host_is_to_the_application_itself() {
        assert!(is_to_self(&Uri::from_static("/path")));
        assert!(is_to_self(&Uri::from_static("http://self.alt/path")));
        assert!(!is_to_self(&Uri::from_static("http://self.example/path")));
        assert!(!is_to_self(&Uri::from_static("http://writes.spin.internal/path")));
    }
}
