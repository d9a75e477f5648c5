//! The cache protocol, as pure decisions: what keys are called, what an entry looks like, what the scripts answer and what
//! to do next. The I/O around it is in [`crate::spin`].

mod envelope;
mod failure;
mod identity;
mod key;
mod pattern;
mod population;
mod rejection;
mod reply;
pub mod rest;
mod scripts;
mod seal;
mod status;

pub use envelope::{Entry, MAX_ENTRY_BYTES, fingerprint};
pub use failure::{RedisFailure, Refusal};
pub use identity::{Identity, Unfit, asks_for_resp3, is_same_redis};
pub use key::{CacheKey, Namespace, Resource};
pub use pattern::{KeyPattern, prefix};
pub use population::{LOCK_MS, MAX_LIST_PAGES, MAX_STORED_BYTES, WAIT_BUDGET, ttl_ms, wait_before_attempt};
pub use rejection::Rejection;
pub use reply::{Facts, Reply, fact, strings};
pub use scripts::{Argument, Fill, Lookup, Script, ScriptError, Sighting, grants_lock};
pub use seal::{Nonce, Seal, Seals};
pub use status::CacheStatus;
