//! The only code that talks to the platform. Everything that can be decided without it is decided elsewhere.

mod breaker;
mod chain;
mod check;
mod clock;
mod idempotency;
mod key_value;
mod keys;
mod metrics;
mod outbox;
mod postgres;
mod purge;
mod read;
mod redis;
mod server;
mod source;
mod tokens;
mod variables;
mod verify;
mod warm;
mod webhook;
mod write;

pub use breaker::{breaker_record, cache_is_in_use, drain, order_breaker};
pub use chain::{forward_to_writes, is_write};
pub use clock::{new_id, unix_ms};
pub use idempotency::remove_expired_keys;
pub use metrics::totals;
pub use outbox::{Lag, lag};
pub use postgres::{database_answers, query, row_level_security_holds};
pub use purge::{Purged, purge};
pub use redis::memory as redis_memory;
pub use server::{Call, Outcome, serve};
pub use source::read;
pub use spin_sdk::http::Request;
pub use verify::verify;
pub use warm::warm;
pub use write::{Written, write};
