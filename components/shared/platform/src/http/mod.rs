//! HTTP: requests of clients, and requests of ours to others.

mod call;
mod chain;
pub mod client;
mod origin;
mod relay;
mod serve;
mod site;
mod to_origin;
pub mod wire;

pub use call::Call;
pub use chain::{forward_to_writes, is_write};
pub use origin::serve_origin;
pub use serve::{serve, serve_handed_on};
pub use site::serve_site;
pub use to_origin::{forward_to_origin, is_for_origin};
