//! Every POST, PUT and DELETE, one file each. The component `writes` links them; without service chaining the components that own
//! the paths do.
//!
//! Each write is one call of a function of the schema (`infra/migrations/0017_outbox_keys.sql`), which checks, changes and inserts
//! into the outbox; see `platform::write` for the fence around it.

// A panic ends the instance and every request in it: input is never unwrapped, indexed or sliced.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice, clippy::unreachable)]
#![deny(clippy::unwrap_used)]

mod create_payment;
mod create_property;
mod delete_payment;
mod delete_property;
mod precondition;
mod replace_payment;
mod replace_property;

use http::Method;
use platform::http::wire::{Outcome, Request};
use platform::http::{Call, serve};
use rental::error::Error;
use rental::http::{Answer, Route};

/// Answers a write in the component that owns its path, in place of handing it on to `writes`.
pub async fn serve_write(request: Request) -> Outcome {
    serve(request, respond).await
}

/// Answers a write.
///
/// # Errors
/// Those of the write, and [`Error::NotFound`] for a path that has none.
pub async fn respond(call: &Call) -> Result<Answer, Error> {
    let tenant = &call.tenant().await?;
    match (call.route, &call.parts.method) {
        (Some(Route::Properties), &Method::POST) => create_property::create(call, tenant).await,
        (Some(Route::Property(Some(id))), &Method::PUT) => replace_property::replace(call, tenant, id).await,
        (Some(Route::Property(Some(id))), &Method::DELETE) => delete_property::delete(call, tenant, id).await,
        (Some(Route::Payments(Some(property))), &Method::POST) => create_payment::create(call, tenant, property).await,
        (Some(Route::Payment(Some(property), Some(payment))), &Method::PUT) => {
            replace_payment::replace(call, tenant, property, payment).await
        }
        (Some(Route::Payment(Some(property), Some(payment))), &Method::DELETE) => {
            delete_payment::delete(call, tenant, property, payment).await
        }
        _ => Err(Error::NotFound),
    }
}
