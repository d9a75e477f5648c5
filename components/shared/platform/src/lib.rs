//! The only crate that talks to Spin: the I/O around what `cache` and `rental` decide. `README.md` says how to start.
// A panic ends the instance and every request in it: input is never unwrapped, indexed or sliced.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice, clippy::unreachable)]
#![deny(clippy::unwrap_used)]

pub mod auth;
pub mod breaker;
mod examine;
pub mod http;
pub mod instance;
pub mod key_value;
pub mod log;
pub mod metrics;
pub mod operator;
mod pacing;
pub mod postgres;
pub mod read;
pub mod redis;
pub mod region;
pub mod scope;
mod source;
pub mod time;
mod variables;
mod webhook;
pub mod write;

/// The SDK for the Spin that is built for, by a name that is no dependency's (`findings/shadowed-extern-crate-is-linked.sh`). A
/// component, which does not depend on the SDK, comes to it through [`http_component`].
#[cfg(not(feature = "spin-4-0"))]
#[doc(hidden)]
pub use spin_sdk as sdk;
#[cfg(feature = "spin-4-0")]
#[doc(hidden)]
pub use spin_sdk_4_0 as sdk;
