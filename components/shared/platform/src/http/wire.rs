//! Requests and answers as the platform has them.
//!
//! The SDK's own conversions ask the platform for all that a request may have: scheme, authority, options, and the headers
//! twice. Each question costs about as much as verifying a token, so here only those are asked whose answers are used.

use crate::sdk::wasip3::http::client;
pub use crate::sdk::wasip3::http::types::Response;
use crate::sdk::wasip3::http::types::{self, ErrorCode, Fields, Scheme};
use crate::sdk::wasip3::http_compat::IncomingRequestBody;
use crate::sdk::wasip3::{spawn, wit_future, wit_stream};
use bytes::Bytes;
use http::request::Parts;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rental::http::{Answer, HostHeaders, Route, is_handed_on};

/// What a component's entry point returns.
pub type Outcome = Result<Response, ErrorCode>;

/// A request.
pub struct Request {
    /// Method, path, query and headers.
    pub parts: Parts,
    /// What the path names; `None` for a path that the API does not have.
    pub route: Option<Route>,
    /// Its body.
    pub body: Unread,
}

/// A body that nobody has asked for yet.
pub struct Unread(types::Request);

impl Unread {
    /// Hands the request on to `authority`, inside the host, and answers with what is answered there. Neither body passes
    /// through the instance.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn pass_on(self, authority: &str) -> Outcome {
        let refused = |()| ErrorCode::HttpRequestUriInvalid;
        self.0.set_scheme(Some(&Scheme::Http)).map_err(refused)?;
        self.0.set_authority(Some(authority)).map_err(refused)?;
        client::send(self.0).await
    }

    /// Whether another component has handed it on.
    pub fn is_handed_on(&self) -> bool {
        is_handed_on(&self.0.get_headers().copy_all())
    }

    /// The whole request, as the platform has it.
    pub fn into_inner(self) -> types::Request {
        self.0
    }

    /// What it is read from.
    ///
    /// # Errors
    /// When its `Content-Length` is no number.
    pub fn open(self) -> Result<IncomingRequestBody, ErrorCode> {
        IncomingRequestBody::new(self.0)
    }
}

impl Request {
    /// A request as it came.
    ///
    /// # Errors
    /// When it is none that HTTP knows. The platform has parsed it before, so that does not happen.
    pub fn receive(request: types::Request) -> Result<Self, ErrorCode> {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.method = method(request.get_method())?;
        let target = request.get_path_with_query().unwrap_or_default();
        let target = PathAndQuery::from_maybe_shared(Bytes::from(target));
        parts.uri = Uri::from(target.map_err(|_| ErrorCode::HttpRequestUriInvalid)?);
        parts.headers = headers(request.get_headers().copy_all())?;
        let route = Route::of(parts.uri.path());
        Ok(Self { parts, route, body: Unread(request) })
    }
}

/// Makes `$handle`, an `async fn(Request) -> Outcome`, the component's entry point. It is exported to WebAssembly alone: no native
/// linker takes a name such as `[async-lift]wasi:http/handler@0.3.0#handle`, and all else is compiled for both.
#[macro_export]
macro_rules! http_component {
    ($handle:ident) => {
        /// What the host calls.
        pub struct Component;
        #[cfg(target_arch = "wasm32")]
        $crate::sdk::wasip3::http::service::export!(Component);

        impl $crate::sdk::wasip3::exports::http::handler::Guest for Component {
            async fn handle(request: $crate::sdk::wasip3::http::types::Request) -> $crate::http::wire::Outcome {
                $handle($crate::http::wire::Request::receive(request)?).await
            }
        }
    };
}

fn method(method: types::Method) -> Result<Method, ErrorCode> {
    Ok(match method {
        types::Method::Get => Method::GET,
        types::Method::Head => Method::HEAD,
        types::Method::Post => Method::POST,
        types::Method::Put => Method::PUT,
        types::Method::Delete => Method::DELETE,
        types::Method::Connect => Method::CONNECT,
        types::Method::Options => Method::OPTIONS,
        types::Method::Trace => Method::TRACE,
        types::Method::Patch => Method::PATCH,
        types::Method::Other(word) => {
            Method::from_bytes(word.as_bytes()).map_err(|_| ErrorCode::HttpRequestMethodInvalid)?
        }
    })
}

fn headers(fields: Vec<(String, Vec<u8>)>) -> Result<HeaderMap, ErrorCode> {
    let internal = |error: &dyn std::fmt::Display| ErrorCode::InternalError(Some(error.to_string()));
    let of_host = HostHeaders::among(fields.iter().map(|(name, _)| name.as_str()));
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (_, (name, value)) in (0..).zip(fields).filter(|(index, (name, _))| !of_host.leaves_out(*index, name)) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| internal(&error))?;
        let value = HeaderValue::from_maybe_shared(Bytes::from(value)).map_err(|error| internal(&error))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// Hands the answer to the platform. The body of a HEAD goes too: the server leaves it out and keeps its length.
pub fn hand_over(answer: Answer) -> Outcome {
    let fields: Vec<_> =
        answer.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    let fields = Fields::from_list(&fields).map_err(|error| ErrorCode::InternalError(Some(format!("{error:?}"))))?;
    let (trailers, no_trailers) = wit_future::new(|| Ok(None));
    let (mut body, reader) = wit_stream::new();
    let (response, _) = Response::new(fields, Some(reader), no_trailers);
    // 200 is what it has already.
    if answer.status != http::StatusCode::OK {
        response.set_status_code(answer.status.as_u16()).map_err(|()| ErrorCode::InternalError(None))?;
    }
    spawn(async move {
        // What cannot be written is a client's that is gone.
        let _ = body.write_all(answer.body).await;
        drop(body);
        let _ = trailers.write(Ok(None)).await;
    });
    Ok(response)
}
