//! Reading the totals of all instances.

use super::shards::{SHARDS, keys, parse};
use crate::instance::Instance;
use crate::key_value::{STORE, Unreadable};
use crate::sdk::key_value::Store;
use rental::metrics::Totals;

/// What all instances that share the key-value store have counted.
///
/// # Errors
/// When the store cannot be read.
pub async fn totals(instance: &Instance) -> Result<Totals, Unreadable> {
    let reading = async {
        let store = Store::open(STORE).await?;
        let mut shards = Vec::new();
        // The store has one at a time anyway, and one that fails is enough to wait for.
        for key in keys(&instance.config.namespace) {
            shards.push(store.get(key).await?);
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
