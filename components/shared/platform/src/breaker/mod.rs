//! The breaker: its shared record, what happens to it, and what it admits. The decisions are in [`cache::breaker`].
//!
//! One above the other: `in_key_value` and `in_database`, `compare_and_swap`, [`record`], [`events`], `vote`, [`attempt`] and
//! [`database_lease`], [`usable`], `crate::region`, [`drain`], `probe`, [`admission`].

pub mod admission;
pub mod attempt;
#[cfg_attr(feature = "without-atomics", path = "no_compare_and_swap.rs")]
mod compare_and_swap;
pub mod database_lease;
pub mod drain;
pub mod events;
mod in_database;
mod in_key_value;
mod probe;
pub mod record;
pub mod usable;
mod vote;
