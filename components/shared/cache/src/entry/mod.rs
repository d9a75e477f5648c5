//! The format of an entry in Redis, and why bytes are rejected.

mod envelope;
mod rejection;
mod seal;

pub use envelope::{Entry, MAX_ENTRY_BYTES, fingerprint};
pub use rejection::Rejection;
pub use seal::{Nonce, Seal, Seals};
