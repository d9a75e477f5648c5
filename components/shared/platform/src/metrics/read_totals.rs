//! Reading the totals of all instances.

use super::in_redis;
use super::shards::{SHARDS, add_to_totals, keys, parse};
use crate::instance::Instance;
use crate::key_value::{STORE, Unreadable};
use crate::sdk::key_value::Store;
use rental::metrics::Totals;

/// What all instances that share the key-value store have counted. What waits in Redis is added to the totals before, if this
/// instance has a connection to it.
///
/// # Errors
/// When the store cannot be read.
pub async fn totals(instance: &Instance) -> Result<Totals, Unreadable> {
    let waiting = in_redis::take(instance).await;
    if !waiting.is_empty()
        && let Err(error) = add_to_totals(&instance.key_value, &instance.config.namespace, &waiting)
    {
        in_redis::leave_again(instance, &waiting, &error.0).await;
    }
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
