//! Counting in the instance's memory, and passing the counts on after the answers have gone out.

pub mod aggregator;
pub mod counts;
mod flush;
mod in_redis;
mod read_totals;
mod shards;
#[cfg(not(feature = "without-chaining"))]
mod tell;

pub use flush::{flush_before_answer, flush_later};
pub use read_totals::totals;
