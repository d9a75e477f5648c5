//! What two components would otherwise copy.
//!
//! Everything here decides and returns a value; only [`spin`] talks to the platform. So all of it but that folder
//! compiles and is tested natively.
// A panic ends the instance and every request in it: input is never unwrapped, indexed or sliced.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice, clippy::unreachable)]
#![deny(clippy::unwrap_used)]

pub mod auth;
pub mod breaker;
pub mod budget;
pub mod cache;
pub mod config;
pub mod database;
pub mod database_health;
pub mod domain;
pub mod error;
pub mod flight;
pub mod http;
pub mod lineage;
pub mod log;
pub mod metrics;
pub mod operator;
pub mod pace;
pub mod protocol;
pub mod row;
pub mod scope;
pub mod source;
pub mod sqlstate;
pub mod statement;
pub mod verify;
pub mod warm;

#[cfg(target_arch = "wasm32")]
pub mod spin;
pub mod unshared;
