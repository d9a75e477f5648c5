//! Reading through the cache: the I/O around the protocol of the crate `cache`.

mod discard;
mod lease;
mod lock;
mod lookup;
mod miss;
mod sample;
mod time_budget;
pub mod warm;

use crate::instance::Instance;
use crate::region::read::Server;
use crate::scope;
use crate::source::{fetch, seen, slot};
use cache::{CacheStatus, Entry, Slot};
use lease::{cached, keep, start_read};
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
        let mut entry = fetch(instance, tenant, source, Server::Primary).await?;
        seen(instance, &mut entry);
        return Ok((entry, CacheStatus::Bypass));
    };
    let kind = if field.is_empty() { Kind::Single } else { Kind::List };
    let mut answer = find(instance, tenant, source, &slot(instance, tenant, source, &field)).await;
    if let Ok((entry, status)) = &mut answer {
        seen(instance, entry);
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
    if let Some(entry) = cached(instance, slot) {
        return Ok((entry, CacheStatus::Lease));
    }
    let fetch = async |server| fetch(instance, tenant, source, server).await;
    let asked = start_read(instance);
    let budget = TimeBudget::new(instance);
    let Some((usable, first)) = look_up(instance, &budget, slot).await else {
        return Ok((share(instance, slot, fetch).await?, CacheStatus::Bypass));
    };
    let mut rejected = Vec::new();
    if let Some(bytes) = first {
        let sealed = (asked.is_some() && slot.is_sealed()).then(|| bytes.clone());
        match open(instance, bytes, slot, &usable) {
            Ok(entry) => {
                if let Some(asked) = asked {
                    keep(instance, &usable, slot, asked, &entry, sealed);
                }
                sample::sample(instance, tenant, source.resource(), &entry);
                return Ok((entry, CacheStatus::Hit));
            }
            Err(print) => rejected = print,
        }
    }
    let miss = Miss::new(instance, tenant, &budget, &usable, slot);
    if let Some(entry) = Box::pin(miss.follow()).await {
        return Ok((entry, CacheStatus::Collapsed));
    }
    Box::pin(miss.answer(rejected, instance.followers.lead(slot.name()), fetch)).await
}

/// Reads the primary once for all who ask for this slot without the cache. A session that has been at a standby may have seen more than
/// what another waits for, and reads by itself.
async fn share(
    instance: &Rc<Instance>,
    slot: &Slot<'_>,
    fetch: impl AsyncFn(Server) -> Result<Entry, Error>,
) -> Result<Entry, Error> {
    if scope::demand().below > 0 {
        return fetch(Server::Primary).await;
    }
    instance.shared_reads.share(slot.name(), async || fetch(Server::Primary).await).await
}
