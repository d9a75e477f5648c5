//! What is sent to Redis and what its answers mean, for either protocol. The I/O is elsewhere.

mod command;
mod failure;
mod identity;
mod log_scripts;
mod reply;
pub mod rest;
mod scripts;
mod texts;
mod unfit;

pub use command::Command;
pub use failure::{FailureKind, RedisFailure, Refusal};
pub use identity::{Identity, asks_for_resp3, is_same_redis};
pub use log_scripts::{Demand, Done, Registered, is_told, may_register};
pub use reply::{Facts, Reply, facts, strings};
pub use scripts::{Argument, Fill, Lookup, Script, ScriptError, Sighting, grants_lock};
pub use unfit::Unfit;
