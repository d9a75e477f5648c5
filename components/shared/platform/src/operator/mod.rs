//! What operators ask for: health, and what they order of the cache.

pub mod breaker;
pub mod health;
pub mod purge;
pub mod verify;
pub mod warm;
