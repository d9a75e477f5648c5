//! Where the totals of all instances are, in the key-value store, and adding to them.

use crate::key_value::{KeyValue, Unreadable};
use crate::time::{clock, random};
use cache::Namespace;
use rental::metrics::Totals;

/// Over how many keys the totals are spread, so that instances seldom write the same one at the same time.
pub const SHARDS: u8 = 8;

/// Adds what was counted to the totals. Compare-and-swap blocks the instance until the disk has what is written, and every
/// request in it: tens of milliseconds where the disk is busy.
///
/// # Errors
/// When the store cannot be read or written.
pub fn add_to_totals(key_value: &KeyValue, namespace: &Namespace, counted: &Totals) -> Result<(), Unreadable> {
    let shard = random::<1>().map_or(0, |[byte]| byte % SHARDS);
    key_value.update(&key(namespace, shard), |stored| {
        let mut totals = parse(stored).unwrap_or_default();
        totals.merge(counted);
        totals.forget_before(clock::unix_ms());
        serde_json::to_vec(&totals).unwrap_or_default()
    })
}

fn key(namespace: &Namespace, shard: u8) -> String {
    format!("metrics:{}:{shard}", namespace.name())
}

/// The keys of the totals.
pub fn keys(namespace: &Namespace) -> impl Iterator<Item = String> {
    (0..SHARDS).map(|shard| key(namespace, shard))
}

/// `None` for what another version has written otherwise: counting begins anew, as after any restart of a counter.
pub fn parse(bytes: &[u8]) -> Option<Totals> {
    serde_json::from_slice(bytes).ok()
}
