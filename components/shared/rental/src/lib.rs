//! The product: RentTracker's domain, its HTTP contract, where each answer is read, tokens, configuration, metrics, and what
//! operators order. It does no I/O; `README.md` says how to start.
// A panic ends the instance and every request in it: input is never unwrapped, indexed or sliced.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice, clippy::unreachable)]
#![deny(clippy::unwrap_used)]

pub mod auth;
pub mod config;
pub mod domain;
pub mod error;
pub mod http;
pub mod metrics;
pub mod operator;
pub mod rate_limit;
pub mod resource;
pub mod session;
pub mod source;
pub mod sql;
