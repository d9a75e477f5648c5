//! What two components would otherwise copy.
//!
//! Everything here decides and returns a value; only [`spin`] talks to the platform. So all of it but that folder
//! compiles and is tested natively.

pub mod auth;
pub mod breaker;
pub mod budget;
pub mod cache;
pub mod config;
pub mod domain;
pub mod error;
pub mod flight;
pub mod http;
pub mod log;
pub mod metrics;
pub mod protocol;
pub mod row;

#[cfg(target_arch = "wasm32")]
pub mod spin;
