//! The cache protocol, as pure decisions: the names of keys, the format of entries, the answers of the scripts and the next
//! step. It knows no product and does no I/O; `README.md` says how to start.
// A panic ends the instance and every request in it: input is never unwrapped, indexed or sliced.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice, clippy::unreachable)]
#![deny(clippy::unwrap_used)]

pub mod breaker;
pub mod database;
mod entry;
#[cfg(test)]
mod example;
mod fill;
pub mod flight;
mod keys;
pub mod protocol;
pub mod read_lease;
mod redis;
pub mod region;
mod status;

pub use entry::{Entry, MAX_ENTRY_BYTES, Nonce, Rejection, Seal, Seals, fingerprint};
pub use fill::{LOCK_MS, MAX_LIST_PAGES, MAX_STORED_BYTES, WAIT_BUDGET, ttl_ms, wait_before_attempt};
pub use keys::{CacheKey, KeyPattern, Namespace, Owner, Resource, Slot, prefix};
pub use redis::{
    Argument, Command, Demand, Done, Facts, FailureKind, Fill, Identity, Lookup, RedisFailure, Refusal, Registered,
    Reply, Script, ScriptError, Sighting, Unfit, asks_for_resp3, facts, grants_lock, is_same_redis, is_told,
    may_register, rest, strings,
};
pub use status::CacheStatus;
