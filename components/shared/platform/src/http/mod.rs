//! HTTP: requests of clients, and requests of ours to others.

mod call;
mod chain;
pub mod client;
mod serve;
pub mod wire;

pub use call::Call;
pub use chain::{forward_to_writes, is_write};
pub use serve::{serve, serve_handed_on};
