//! The API over HTTP: what is asked, what is answered, and what is refused.

pub mod bodies;
pub mod client;
pub mod concurrency;
pub mod conditions;
pub mod cors;
pub mod extremes;
pub mod headers;
pub mod http;
pub mod idempotency;
pub mod input;
pub mod lists;
pub mod openapi;
pub mod origin;
pub mod origin_bodies;
pub mod origin_client;
pub mod pages;
pub mod payment_methods;
pub mod payments;
pub mod payments_keyset;
pub mod properties;
pub mod properties_keyset;
pub mod rate_limit;
pub mod search;
pub mod values;
