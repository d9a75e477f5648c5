//! Single flight: an instance reads once for many requests that ask for the same.
//!
//! A value may only be shared with requests that arrived before its statement was sent: what it shows is then never older than
//! anything that was answered before they asked. Two cases differ in what proves that:
//!
//! - [`SharedReads`]: without the cache nothing proves that a read under way is current. Requests that arrive during it wait for
//!   the next one, which starts when it has ended.
//! - [`Followers`]: a leader's read that the fill script has stored was current at that moment. Requests that arrived before the
//!   script was sent take its value.

mod followers;
mod shared_reads;

pub use followers::{Followers, Leader};
pub use shared_reads::SharedReads;
