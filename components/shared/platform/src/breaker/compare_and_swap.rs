//! Compare-and-swap of the breaker's record in the key-value store.

use super::in_key_value::{key, parse};
use crate::instance::Instance;
use crate::key_value::{STORE, SWAP_ATTEMPTS, Unreadable};
use crate::sdk::experimental::wasi::keyvalue::{atomics, store};
use crate::time::clock::{elapsed, elapsed_after_blocking, unix_ms};
use cache::breaker::{Event, Lease, Record, next};

/// Applies the event of a moment, Unix time in milliseconds, to the record. It blocks the instance while the store is at it.
///
/// # Errors
/// When the store cannot be read or written.
pub fn swap<'a>(instance: &Instance, event: impl Fn(u64) -> Event<'a>) -> Result<(Lease, Option<Record>), Unreadable> {
    let began = elapsed();
    instance.key_value.rest_if_slow(began, try_swap(instance, event))
}

fn try_swap<'a>(instance: &Instance, event: impl Fn(u64) -> Event<'a>) -> Result<(Lease, Option<Record>), Unreadable> {
    let text = |error: store::Error| Unreadable(format!("{error:?}"));
    let bucket = store::open(STORE).map_err(text)?;
    for _ in 0..SWAP_ATTEMPTS {
        let read_at = elapsed_after_blocking();
        let handle = atomics::Cas::new(&bucket, &key(instance)).map_err(text)?;
        // A swap on an absent key always succeeds, so it would not be atomic: the record must be there first. What is
        // written here is harmless whatever it overwrites (see `Record::initial`).
        let Some(record) = handle.current().map_err(text)?.and_then(|bytes| parse(&bytes)) else {
            let bytes =
                serde_json::to_vec(&Record::initial(unix_ms())).map_err(|error| Unreadable(error.to_string()))?;
            bucket.set(&key(instance), &bytes).map_err(text)?;
            continue;
        };
        let now_ms = unix_ms();
        let Some(changed) = next(&record, event(now_ms), now_ms, instance.config.breaker_reset) else {
            return Ok((Lease::new(record, read_at), None));
        };
        let bytes = serde_json::to_vec(&changed).map_err(|error| Unreadable(error.to_string()))?;
        match atomics::swap(handle, &bytes) {
            Ok(()) => return Ok((Lease::new(changed, read_at), Some(record))),
            Err(atomics::CasError::CasFailed(_)) => {}
            Err(atomics::CasError::StoreError(error)) => return Err(text(error)),
        }
    }
    Err(Unreadable("other instances kept changing the record".into()))
}
