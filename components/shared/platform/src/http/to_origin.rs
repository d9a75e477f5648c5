//! Handing a request on to the component `origin`: Spin routes by path alone, so a method that is not ours reaches the component that
//! owns the path.

use super::origin::hand_over_own;
use super::wire::{Outcome, Request, Response, Unread};
use crate::instance::{self, Instance};
use crate::time::clock::elapsed;
use rental::http::{OriginFailure, Responder, origin_problem, problem};

/// Where the component is reached, inside the host.
#[cfg(not(feature = "without-chaining"))]
const ORIGIN: &str = "origin.spin.internal";

/// Whether the origin answers a request that has come to a component of ours.
pub fn is_for_origin(request: &Request) -> bool {
    let has_origin = instance::current().is_ok_and(|instance| instance.config.origin.is_some());
    Responder::of(&request.parts, request.route, has_origin) == Responder::Origin
}

/// Hands the request on as it came, and its answer to the client. What is too long or stands twice is refused here already, as in
/// [`forward_to_writes`](super::forward_to_writes).
pub async fn forward_to_origin(request: Request) -> Outcome {
    let began = elapsed();
    let Request { parts, checked, body, .. } = request;
    let path = parts.uri.path();
    let instance = match instance::current() {
        Ok(instance) => instance,
        Err(error) => return hand_over_own(problem(&error, path), &parts, &[], began),
    };
    let answer = match checked {
        Ok(()) => match ask(body, &instance).await {
            Ok(response) => return Ok(response),
            Err(failure) => origin_problem(&failure, path),
        },
        Err(error) => problem(&error, path),
    };
    hand_over_own(answer, &parts, &instance.config.cors_allowed_origins, began)
}

#[cfg(not(feature = "without-chaining"))]
async fn ask(body: Unread, _: &Instance) -> Result<Response, OriginFailure> {
    body.pass_on(ORIGIN).await.map_err(|error| {
        let error = format!("the component origin cannot be reached: {error:?}");
        crate::log::write(crate::log::Level::Error, "origin.failed", &[("error", &error)]);
        OriginFailure::NoAnswer(error)
    })
}

/// Where no component reaches another, each asks the origin itself.
#[cfg(feature = "without-chaining")]
async fn ask(body: Unread, instance: &Instance) -> Result<Response, OriginFailure> {
    match &instance.config.origin {
        Some(origin) => super::relay::relay(body, origin).await,
        None => Err(OriginFailure::NoAnswer("there is no origin".into())),
    }
}
