//! Every POST, PUT and DELETE. The route is private: requests come from the component that owns the path.
//!
//! Each write is one call of a function of the schema (`infra/migrations/0010_writes.sql`), which checks, changes and inserts
//! into the outbox; see `shared::spin::write` for the fence around it.
#![cfg(target_arch = "wasm32")]
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
use shared::error::Error;
use shared::http::{Answer, Route, payment_id, property_id};
use shared::spin::{Call, Outcome, Request, serve_handed_on};

shared::http_component!(handle);

async fn handle(request: Request) -> Outcome {
    serve_handed_on(request, respond).await
}

async fn respond(call: &Call) -> Result<Answer, Error> {
    let tenant = &call.tenant().await?;
    let Some(route) = Route::of(call.parts.uri.path()) else {
        return Err(Error::NotFound);
    };
    match (route, &call.parts.method) {
        (Route::Properties, &Method::POST) => create_property::create(call, tenant).await,
        (Route::Property(id), &Method::PUT) => replace_property::replace(call, tenant, property_id(id)?).await,
        (Route::Property(id), &Method::DELETE) => delete_property::delete(call, tenant, property_id(id)?).await,
        (Route::Payments(property), &Method::POST) => {
            create_payment::create(call, tenant, property_id(property)?).await
        }
        (Route::Payment(property, payment), &Method::PUT) => {
            replace_payment::replace(call, tenant, property_id(property)?, payment_id(payment)?).await
        }
        (Route::Payment(property, payment), &Method::DELETE) => {
            delete_payment::delete(call, tenant, property_id(property)?, payment_id(payment)?).await
        }
        _ => Err(Error::NotFound),
    }
}
