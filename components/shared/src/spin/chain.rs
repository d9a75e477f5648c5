//! Handing a write on to the component `writes`: Spin routes by path alone, so it reaches the component that reads.

use super::server::serve_parts;
use super::wire::{Outcome, Request};
use crate::error::Error;
use crate::http::{Action, Route};
use http::header::{self, HeaderName};
use http::uri::{PathAndQuery, Uri};
use http_body_util::BodyExt;
use spin_sdk::http::{IntoResponse, send};

/// Where the private component is reached, inside the host.
const WRITES: &str = "writes.spin.internal";

/// Headers that speak of the client's connection and not of the request (RFC 9110, section 7.6.1). The platform refuses
/// them on a request that it sends; `Host` becomes the new address.
const OF_THE_CONNECTION: [HeaderName; 7] = [
    header::HOST,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Whether a request is a write.
pub fn is_write(request: &Request) -> bool {
    Route::of(request.parts.uri.path()).is_some_and(|route| route.action(&request.parts.method) == Action::Write)
}

/// Sends the request to `writes` and its answer to the client, both as they come. The token goes along and is verified
/// there.
pub async fn forward_to_writes(request: Request) -> Outcome {
    let Request { mut parts, body } = request;
    let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    for name in OF_THE_CONNECTION {
        parts.headers.remove(name);
    }
    let forwarded = Uri::builder().scheme("http").authority(WRITES).path_and_query(path).build();
    let answer = match forwarded.map_err(|error| error.to_string()).and_then(|uri| {
        let body = body.open().map_err(|error| error.to_string())?;
        Ok((uri, body))
    }) {
        Ok((uri, body)) => {
            let original = parts.clone();
            parts.uri = uri;
            // Wrapped, because the SDK sends an untouched incoming body as the whole request that it came with, with its
            // old address.
            let body = body.map_err(|error| error);
            send(http::Request::from_parts(parts, body)).await.map_err(|error| (original, format!("{error:?}")))
        }
        Err(error) => Err((parts, error)),
    };
    match answer {
        Ok(response) => response.into_response(),
        Err((parts, error)) => {
            let error = Error::Unavailable(format!("the component writes cannot be reached: {error}"));
            serve_parts(parts, None, async |_| Err(error)).await
        }
    }
}
