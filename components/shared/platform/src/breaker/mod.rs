//! The breaker: its shared record, what happens to it, and what it admits. The decisions are in [`cache::breaker`].
//!
//! One above the other: [`record`], [`events`], `vote`, [`attempt`] and [`database_lease`], `probe`, [`admission`].

pub mod admission;
pub mod attempt;
pub mod database_lease;
pub mod events;
mod probe;
pub mod record;
mod vote;
