//! The only code that talks to the platform. Everything that can be decided without it is decided elsewhere.

mod breaker;
mod chain;
mod check;
mod clock;
mod key_value;
mod metrics;
mod outbox;
mod postgres;
mod purge;
mod read;
mod redis;
mod server;
mod variables;
mod webhook;
mod write;

pub use breaker::{breaker_record, cache_is_in_use, drain, order_breaker};
pub use chain::{forward_to_writes, is_write};
pub use clock::{new_id, unix_ms};
pub use metrics::totals;
pub use outbox::{Lag, lag};
pub use postgres::{database_answers, query};
pub use purge::{Purged, purge};
pub use read::{Cached, read_through};
pub use redis::memory as redis_memory;
pub use server::{Call, Outcome, serve};
pub use spin_sdk::http::Request;
pub use write::{Written, write};
