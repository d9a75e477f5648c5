//! The totals of all instances, in the key-value store.

use crate::instance::Instance;
use crate::key_value::{KeyValue, STORE, Unreadable};
use crate::sdk::key_value::Store;
use crate::time::{clock, random};
use cache::Namespace;
use rental::metrics::Totals;

/// Over how many keys the totals are spread, so that instances seldom write the same one at the same time.
const SHARDS: u8 = 8;

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

/// What all instances that share the key-value store have counted.
///
/// # Errors
/// When the store cannot be read.
pub async fn totals(instance: &Instance) -> Result<Totals, Unreadable> {
    let reading = async {
        let store = Store::open(STORE).await?;
        let mut shards = Vec::new();
        // The store has one at a time anyway, and one that fails is enough to wait for.
        for shard in 0..SHARDS {
            shards.push(store.get(key(&instance.config.namespace, shard)).await?);
        }
        Ok(shards)
    };
    let shards = instance.key_value.ask(instance.config.key_value_timeout * u32::from(SHARDS), reading).await?;
    let mut all = Totals::default();
    for totals in shards.iter().flatten().filter_map(|bytes| parse(bytes)) {
        all.merge(&totals);
    }
    Ok(all)
}

fn key(namespace: &Namespace, shard: u8) -> String {
    format!("metrics:{}:{shard}", namespace.as_str())
}

/// `None` for what another version has written otherwise: counting begins anew, as after any restart of a counter.
pub fn parse(bytes: &[u8]) -> Option<Totals> {
    serde_json::from_slice(bytes).ok()
}
