//! The only code that talks to the platform. Everything that can be decided without it is decided elsewhere.

mod breaker;
mod chain;
mod check;
mod clock;
mod http;
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
mod tokens;
mod variables;
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
pub use read::{Cached, read_through};
pub use redis::memory as redis_memory;
pub use server::{Call, Outcome, serve};
pub use spin_sdk::http::Request;
pub use write::{Written, write};
