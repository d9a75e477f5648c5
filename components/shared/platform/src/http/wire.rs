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
use http::{HeaderMap, Method};
use rental::error::Error;
use rental::http::{Answer, Field, Route, check_head, headers_read, is_handed_on};
use std::cell::RefCell;

/// What a component's entry point returns.
pub type Outcome = Result<Response, ErrorCode>;

/// A request.
pub struct Request {
    /// Method, path, query, and the headers that the API reads.
    pub parts: Parts,
    /// What the path names; `None` for a path that the API does not have.
    pub route: Option<Route>,
    /// Whether what comes before the body can be answered at all.
    pub checked: Result<(), Error>,
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
        let fields = request.get_headers().copy_all();
        let checked = check_head(&parts.uri, &fields);
        parts.headers = headers_read(fields).map_err(|error| ErrorCode::InternalError(Some(error.to_string())))?;
        let route = Route::of(parts.uri.path());
        Ok(Self { parts, route, checked, body: Unread(request) })
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

thread_local! {
    /// The header lines of the last answer, which the next is written over: the platform takes strings, and two new ones for each line
    /// would be some 5,000 instructions more.
    static LINES: RefCell<Vec<Field>> = const { RefCell::new(Vec::new()) };
}

/// The platform's headers of an answer.
fn fields(headers: &HeaderMap) -> Result<Fields, ErrorCode> {
    LINES.with_borrow_mut(|lines| {
        lines.resize_with(headers.len(), Field::default);
        for ((name, value), (line_name, line_value)) in headers.iter().zip(lines.iter_mut()) {
            line_name.clear();
            line_name.push_str(name.as_str());
            line_value.clear();
            line_value.extend_from_slice(value.as_bytes());
        }
        Fields::from_list(lines).map_err(|error| ErrorCode::InternalError(Some(format!("{error:?}"))))
    })
}

/// Hands the answer to the platform. The body of a HEAD goes too: the server leaves it out and keeps its length.
pub fn hand_over(answer: Answer) -> Outcome {
    let fields = fields(&answer.headers)?;
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
