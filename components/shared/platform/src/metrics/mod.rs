//! Counting in the instance's memory, and telling the component that adds up after the answers have gone out.

pub mod aggregator;
pub mod counts;
mod flush;
mod shards;

pub use flush::flush_later;
pub use shards::totals;
