//! Handing a write on to the component `writes`: Spin routes by path alone, so it reaches the component that reads.

use super::serve::serve_parts;
use super::wire::{Outcome, Request};
use http::header;
use rental::auth::bearer;
use rental::error::Error;
use rental::http::Action;

/// Where the private component is reached, inside the host.
const WRITES: &str = "writes.spin.internal";

/// Whether a request is a write.
pub fn is_write(request: &Request) -> bool {
    request.route.is_some_and(|route| route.action(&request.parts.method) == Action::Write)
}

/// Hands the request on to `writes` as it came, and its answer to the client. The token goes along and is verified there.
/// What is too long or stands twice is refused here already, and not looked at again there: of a header of some 100 KB the way
/// itself would make a failure of the server's, and the host adds its own headers once more on it.
pub async fn forward_to_writes(request: Request) -> Outcome {
    let Request { parts, route, checked, body } = request;
    let authorization = parts.headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
    let error = match checked.and_then(|()| bearer(authorization)) {
        Ok(_) => match body.pass_on(WRITES).await {
            Ok(response) => return Ok(response),
            Err(error) => Error::Unavailable(format!("the component writes cannot be reached: {error:?}")),
        },
        Err(error) => error,
    };
    serve_parts(parts, route, None, Err(error), async |_| Err(Error::NotFound)).await
}
