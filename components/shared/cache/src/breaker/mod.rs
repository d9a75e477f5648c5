//! The circuit breaker around Redis, and the quarantine of a cache that missed an invalidation.
//!
//! All instances share one [`Record`], in the key-value store or in PostgreSQL; every change of it is a compare-and-swap of what
//! [`next`] returns. An instance acts on what it read for one lease ([`Lease`]), so a writer that has swapped in an `Open`
//! record and waited a lease knows that no reader uses the cache any more.

mod admission;
mod clock;
mod failures;
mod lease;
mod local;
mod record;
#[cfg(test)]
mod tests;
mod transition;

pub use admission::{Admission, admission, still_counts};
pub use clock::{LATEST_SWAP_MS, RecordClock};
pub use failures::{Cooldown, Failures};
pub use lease::{Lease, LeaseState};
pub use local::{Local, Reaction};
pub use record::{Mode, Record, State, StateKind, Suspicion};
pub use transition::{Event, PROBE_LEASE_MS, next};
