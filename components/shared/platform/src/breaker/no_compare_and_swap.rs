//! In place of `compare_and_swap`, in a build that does not import `wasi:keyvalue/atomics`.

use crate::instance::Instance;
use crate::key_value::Unreadable;
use cache::breaker::{Event, Lease, Record};

/// Fails: so the cache is never used, unless the record is in PostgreSQL.
pub fn swap<'a>(_: &Instance, _: impl Fn(u64) -> Event<'a>) -> Result<(Lease, Option<Record>), Unreadable> {
    Err(Unreadable("this build has no compare-and-swap for the key-value store: set breaker_store = database".into()))
}
