//! The breaker's record in the key-value store.

use crate::instance::Instance;
use crate::key_value::{STORE, Unreadable};
use crate::sdk::key_value::Store;
use crate::time::clock::elapsed;
use cache::breaker::{Lease, Record};

/// Where it is.
pub fn key(instance: &Instance) -> String {
    format!("breaker:{}", instance.config.namespace.name())
}

/// Reads the record; `None` when there is none yet, or none that can be understood.
///
/// # Errors
/// When the store does not answer.
pub async fn read(instance: &Instance) -> Result<Option<Lease>, Unreadable> {
    let read_at = elapsed();
    let bytes = instance
        .key_value
        .ask(instance.config.key_value_timeout, async { Store::open(STORE).await?.get(key(instance)).await })
        .await?;
    Ok(bytes.and_then(|bytes| parse(&bytes)).map(|record| Lease::new(record, read_at)))
}

/// The record; `None` for what is none: damaged, or written by a version that knew it otherwise. It is then made anew.
pub fn parse(bytes: &[u8]) -> Option<Record> {
    serde_json::from_slice(bytes).ok()
}
