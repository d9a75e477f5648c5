//! The breaker's record in the key-value store.

use super::clock::{elapsed, unix_ms, within};
use crate::breaker::{Event, Lease, Record, next};
use crate::config::Config;
use crate::unshared;
use spin_sdk::experimental::wasi::keyvalue::{atomics, store};
use spin_sdk::key_value::{Error as SdkError, Store};
use std::cell::Cell;
use std::time::Duration;

/// The store that `spin.toml` grants.
pub const STORE: &str = "default";
/// How often a swap is tried again after losing to another instance. Each loss is another's progress.
const SWAP_ATTEMPTS: u32 = 5;

/// A store that is well takes a few milliseconds. SQLite, while another process holds its file locked, takes 5 s (its busy
/// timeout, in Spin as in the embedded host) and blocks the whole instance meanwhile, so that no deadline of ours passes.
const SLOW: Duration = Duration::from_secs(1);
/// For how long an instance then does without the store: twice as long as it waited, so that two thirds of its time are left
/// for requests. Only what is told for the sake of safety ([`swap`]) is tried all the same.
const REST: Duration = Duration::from_secs(10);

thread_local! {
    /// Until when the store is left alone.
    static RESTS_UNTIL: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The store cannot be used; the text is for the log.
#[derive(Debug)]
pub struct Unreadable(pub String);

/// What the store answers to `asking`, within `deadline` where the store keeps to it; nothing at once while it rests.
///
/// # Errors
/// When the store does not answer.
pub async fn ask<T>(deadline: Duration, asking: impl Future<Output = Result<T, SdkError>>) -> Result<T, Unreadable> {
    let began = unless_resting()?;
    let answer = within(deadline, asking).await;
    let answer = answer.ok_or_else(|| Unreadable("no answer within the deadline".into()));
    rest_if_slow(began, answer.and_then(|result| result.map_err(|error| Unreadable(format!("{error:?}")))))
}

/// When an operation that begins now began, on the instance's monotonic clock.
fn unless_resting() -> Result<Duration, Unreadable> {
    let now = elapsed();
    if now < RESTS_UNTIL.get() {
        return Err(Unreadable("it was slow and is left alone for a while".into()));
    }
    Ok(now)
}

/// The result of an operation; one that failed slowly has the store left alone.
fn rest_if_slow<T>(began: Duration, result: Result<T, Unreadable>) -> Result<T, Unreadable> {
    let now = elapsed();
    if result.is_err() && now.saturating_sub(began) >= SLOW {
        RESTS_UNTIL.set(now + REST);
    }
    result
}

fn key(config: &Config) -> String {
    format!("breaker:{}", config.namespace.as_str())
}

/// Reads the record; `None` when there is none yet, or none that can be understood.
///
/// # Errors
/// When the store does not answer.
pub async fn read(config: &Config) -> Result<Option<Lease>, Unreadable> {
    let read_at = elapsed();
    let bytes = ask(config.key_value_timeout, async { Store::open(STORE).await?.get(key(config)).await }).await?;
    Ok(bytes.and_then(|bytes| parse(&bytes)).map(|record| Lease::new(record, read_at)))
}

/// `None` for what is no record: damaged, or written by a version that knew it otherwise. It is then made anew.
fn parse(bytes: &[u8]) -> Option<Record> {
    serde_json::from_slice(bytes).ok()
}

/// Applies an event to the record by compare-and-swap. Answers the record as it is afterwards, and as it was before if it
/// was this call that changed it.
///
/// # Errors
/// When the store cannot be read or written.
pub fn swap(config: &Config, event: Event<'_>) -> Result<(Lease, Option<Record>), Unreadable> {
    let began = elapsed();
    rest_if_slow(began, try_swap(config, event))
}

fn try_swap(config: &Config, event: Event<'_>) -> Result<(Lease, Option<Record>), Unreadable> {
    let text = |error: store::Error| Unreadable(format!("{error:?}"));
    let bucket = store::open(STORE).map_err(text)?;
    for _ in 0..SWAP_ATTEMPTS {
        let read_at = elapsed();
        let handle = atomics::Cas::new(&bucket, &key(config)).map_err(text)?;
        // A swap on an absent key always succeeds, so it would not be atomic: the record must be there first. What is
        // written here is harmless whatever it overwrites (see `Record::initial`).
        let Some(record) = handle.current().map_err(text)?.and_then(|bytes| parse(&bytes)) else {
            let bytes =
                serde_json::to_vec(&Record::initial(unix_ms())).map_err(|error| Unreadable(error.to_string()))?;
            bucket.set(&key(config), &bytes).map_err(text)?;
            continue;
        };
        let Some(mut changed) = next(&record, event, unix_ms(), config.breaker_reset) else {
            return Ok((Lease::new(record, read_at), None));
        };
        if let (false, true, Some(run_id)) = (config.key_value_shared, changed.admits(), &changed.run_id) {
            changed.epoch = unshared::epoch(run_id);
        }
        let bytes = serde_json::to_vec(&changed).map_err(|error| Unreadable(error.to_string()))?;
        match atomics::swap(handle, &bytes) {
            Ok(()) => return Ok((Lease::new(changed, read_at), Some(record))),
            Err(atomics::CasError::CasFailed(_)) => {}
            Err(atomics::CasError::StoreError(error)) => return Err(text(error)),
        }
    }
    Err(Unreadable("other instances kept changing the record".into()))
}

/// Replaces the value of `key` by what `change` makes of it, by compare-and-swap. Before the first time
/// that is `{}`.
///
/// # Errors
/// When the store cannot be read or written, or rests.
pub fn update(key: &str, change: impl Fn(&[u8]) -> Vec<u8>) -> Result<(), Unreadable> {
    let began = unless_resting()?;
    rest_if_slow(began, try_update(key, change))
}

fn try_update(key: &str, change: impl Fn(&[u8]) -> Vec<u8>) -> Result<(), Unreadable> {
    let text = |error: store::Error| Unreadable(format!("{error:?}"));
    let bucket = store::open(STORE).map_err(text)?;
    for _ in 0..SWAP_ATTEMPTS {
        let handle = atomics::Cas::new(&bucket, key).map_err(text)?;
        let Some(current) = handle.current().map_err(text)? else {
            // See `swap`: what is not there cannot be swapped.
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
