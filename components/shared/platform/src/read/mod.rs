//! Reading through the cache: the I/O around the protocol of the crate `cache`.

mod discard;
mod lock;
mod lookup;
mod miss;
mod sample;
mod time_budget;
pub mod warm;

use crate::instance::Instance;
use crate::source::{fetch, slot};
use cache::{CacheStatus, Entry, Slot};
use lookup::{look_up, open};
use miss::Miss;
use rental::domain::TenantId;
use rental::error::Error;
use rental::metrics::{Count, Kind};
use rental::source::Source;
use std::rc::Rc;
use time_budget::TimeBudget;

/// Answers from the cache, or from PostgreSQL and fills the cache; what is not cached is read from PostgreSQL. Whatever is wrong
/// with Redis, the answer is PostgreSQL's.
///
/// # Errors
/// Those of reading PostgreSQL.
pub async fn read(instance: &Rc<Instance>, tenant: &TenantId, source: &Source) -> Result<(Entry, CacheStatus), Error> {
    let Some(field) = source.field()? else {
        return Ok((fetch(instance, tenant, source).await?, CacheStatus::Bypass));
    };
    let kind = if field.is_empty() { Kind::Single } else { Kind::List };
    let answer = find(instance, tenant, source, &slot(instance, tenant, source, &field)).await;
    if let Ok((_, status)) = &answer {
        instance.counts.count(Count::Lookup(kind, *status));
    }
    answer
}

async fn find(
    instance: &Rc<Instance>,
    tenant: &TenantId,
    source: &Source,
    slot: &Slot<'_>,
) -> Result<(Entry, CacheStatus), Error> {
    let fetch = async || fetch(instance, tenant, source).await;
    let budget = TimeBudget::new(instance);
    let Some((usable, first)) = look_up(instance, &budget, slot).await else {
        return Ok((instance.shared_reads.share(slot.name(), fetch).await?, CacheStatus::Bypass));
    };
    let mut rejected = Vec::new();
    if let Some(bytes) = first {
        match open(instance, bytes, slot, &usable) {
            Ok(entry) => {
                sample::sample(instance, tenant, source.resource(), &entry);
                return Ok((entry, CacheStatus::Hit));
            }
            Err(print) => rejected = print,
        }
    }
    let miss = Miss::new(instance, tenant, &budget, &usable, slot);
    if let Some(entry) = miss.follow().await {
        return Ok((entry, CacheStatus::Collapsed));
    }
    miss.answer(rejected, instance.followers.lead(slot.name()), fetch).await
}
