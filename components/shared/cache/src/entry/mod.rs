//! What an entry looks like in Redis, and why bytes are not taken for one.

mod envelope;
mod rejection;
mod seal;

pub use envelope::{Entry, MAX_ENTRY_BYTES, fingerprint};
pub use rejection::Rejection;
pub use seal::{Nonce, Seal, Seals};
