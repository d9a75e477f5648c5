//! The key-value store, which is left alone for a while when it was slow.

#[cfg(not(feature = "without-atomics"))]
use crate::sdk::experimental::wasi::keyvalue::atomics;
use crate::sdk::experimental::wasi::keyvalue::store;
use crate::sdk::key_value::Error as SdkError;
use crate::time::clock::{elapsed, elapsed_after_blocking};
use crate::time::within;
use std::cell::Cell;
use std::time::Duration;

/// The store that `spin.toml` grants.
pub const STORE: &str = "default";
/// How often a swap is tried again after losing to another instance. Each loss is another's progress.
pub const SWAP_ATTEMPTS: u32 = 5;

/// A store that is well takes a few milliseconds. SQLite, while another process holds its file locked, takes 5 s (its busy
/// timeout, in Spin as in the embedded host) and blocks the whole instance meanwhile, so that no deadline of ours passes.
const SLOW: Duration = Duration::from_secs(1);
/// For how long an instance then does without the store: twice as long as it waited, so that two thirds of its time are left
/// for requests. Only what is told for the sake of safety (the breaker's record) is tried all the same.
const REST: Duration = Duration::from_secs(10);

/// The store cannot be used; the text is for the log.
#[derive(Debug)]
pub struct Unreadable(pub String);

/// The store, as this instance has found it.
#[derive(Default)]
pub struct KeyValue {
    /// Until when the store is left alone, on the instance's monotonic clock.
    rests_until: Cell<Duration>,
}

impl KeyValue {
    /// What the store answers to `asking`, within `deadline` where the store keeps to it; nothing at once while it rests.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn ask<T>(
        &self,
        deadline: Duration,
        asking: impl Future<Output = Result<T, SdkError>>,
    ) -> Result<T, Unreadable> {
        let began = self.unless_resting()?;
        let answer = within(deadline, asking).await;
        let answer = answer.ok_or_else(|| Unreadable("no answer within the deadline".into()));
        let result = answer.and_then(|result| result.map_err(|error| Unreadable(format!("{error:?}"))));
        self.rest_if_slow(began, result)
    }

    /// When an operation that begins now began, on the instance's monotonic clock.
    fn unless_resting(&self) -> Result<Duration, Unreadable> {
        let now = elapsed();
        if now < self.rests_until.get() {
            return Err(Unreadable("it was slow and is left alone for a while".into()));
        }
        Ok(now)
    }

    /// The result of an operation; one that failed slowly has the store left alone.
    pub fn rest_if_slow<T>(&self, began: Duration, result: Result<T, Unreadable>) -> Result<T, Unreadable> {
        let now = elapsed_after_blocking();
        if result.is_err() && now.saturating_sub(began) >= SLOW {
            self.rests_until.set(now + REST);
        }
        result
    }

    /// Replaces the value of `key` by what `change` makes of it, by compare-and-swap. Before the first time that is `{}`. In a build
    /// without compare-and-swap a change that comes between is lost.
    ///
    /// # Errors
    /// When the store cannot be read or written, or rests.
    pub fn update(&self, key: &str, change: impl Fn(&[u8]) -> Vec<u8>) -> Result<(), Unreadable> {
        let began = self.unless_resting()?;
        self.rest_if_slow(began, try_update(key, change))
    }
}

#[cfg(not(feature = "without-atomics"))]
fn try_update(key: &str, change: impl Fn(&[u8]) -> Vec<u8>) -> Result<(), Unreadable> {
    let text = |error: store::Error| Unreadable(format!("{error:?}"));
    let bucket = store::open(STORE).map_err(text)?;
    for _ in 0..SWAP_ATTEMPTS {
        let handle = atomics::Cas::new(&bucket, key).map_err(text)?;
        let Some(current) = handle.current().map_err(text)? else {
            // A swap on an absent key always succeeds, so it would not be atomic: the value must be there first.
            bucket.set(key, b"{}").map_err(text)?;
            continue;
        };
        match atomics::swap(handle, &change(&current)) {
            Ok(()) => return Ok(()),
            Err(atomics::CasError::CasFailed(_)) => {}
            Err(atomics::CasError::StoreError(error)) => return Err(text(error)),
        }
    }
    Err(Unreadable("other instances kept changing the value".into()))
}

#[cfg(feature = "without-atomics")]
fn try_update(key: &str, change: impl Fn(&[u8]) -> Vec<u8>) -> Result<(), Unreadable> {
    let text = |error: store::Error| Unreadable(format!("{error:?}"));
    let bucket = store::open(STORE).map_err(text)?;
    let current = bucket.get(key).map_err(text)?.unwrap_or_else(|| b"{}".to_vec());
    bucket.set(key, &change(&current)).map_err(text)
}
