//! Verifying the cache: the I/O around [`rental::operator::verify`].

use crate::breaker::admission::usable;
use crate::breaker::usable::Usable;
use crate::examine::{examine, unavailable};
use crate::instance::Instance;
use crate::pacing::Pacing;
use crate::time::{clock, random};
use cache::{CacheKey, prefix};
use rental::domain::TenantId;
use rental::error::Error;
use rental::metrics::Count;
use rental::operator::Verified;
use rental::operator::pace::WORKING_TIME;
use rental::operator::verify::{Finding, VerifyOrder};
use rental::resource::Resource;
use std::collections::HashSet;
use std::rc::Rc;

/// How many keys Redis looks at in one step: a fraction of a millisecond, during which it serves nobody else.
const KEYS_PER_STEP: u32 = 1_000;
/// How many steps a request makes at most: some hundred thousand keys, in well below a second.
const MAX_STEPS: u32 = 200;

/// Compares a sample of the cache with PostgreSQL, one entry after the other, as long as a request may work. What is
/// inconsistent is deleted.
///
/// # Errors
/// [`Error::CacheOutOfUse`], and [`Error::Unavailable`] when Redis or PostgreSQL does not answer.
pub async fn verify(instance: &Rc<Instance>, order: &VerifyOrder) -> Result<Verified, Error> {
    let usable = usable(instance).await?;
    let pacing = Pacing::new(order.rate);
    let mut found = Verified::default();
    let began = clock::elapsed();
    for (tenant, resource) in sample(instance, &usable, order).await? {
        if clock::elapsed().saturating_sub(began) >= WORKING_TIME {
            break;
        }
        let finding = examine(instance, &usable, &pacing, &tenant, resource, "cache.inconsistent").await?;
        if let Finding::Consistent | Finding::Inconsistent(_) = finding {
            instance.counts.count(Count::Verified);
        }
        if let Finding::Inconsistent(reason) = finding {
            instance.counts.count(Count::Inconsistent(reason));
        }
        found.count(finding);
    }
    Ok(found)
}

/// Keys from a random place of the walk through all keys on, which Redis goes through by their hashes: neighbours there have
/// nothing to do with each other. At its end the walk goes on at its beginning, once.
async fn sample(
    instance: &Rc<Instance>,
    usable: &Usable,
    order: &VerifyOrder,
) -> Result<HashSet<(TenantId, Resource)>, Error> {
    let wanted = usize::try_from(order.sample).unwrap_or(usize::MAX);
    let glob = match &order.tenant {
        Some(tenant) => format!("{}*", prefix(&instance.config.namespace, tenant.owner())),
        None => format!("{}*", instance.config.namespace.prefix()),
    };
    let mut cursor = u32::from_le_bytes(random()?).into();
    let (mut found, mut ends) = (HashSet::new(), 0);
    for _ in 0..MAX_STEPS {
        let step = usable.connection.scan(instance.config.redis_timeout, cursor, &glob, KEYS_PER_STEP).await;
        let (next, keys) = step.map_err(unavailable)?;
        for key in keys {
            let key = std::str::from_utf8(&key).ok().and_then(|key| CacheKey::parse(&instance.config.namespace, key));
            let key = key.map(|(owner, resource)| (TenantId::from(owner), resource));
            if let Some(key) = key.filter(|(tenant, _)| order.tenant.as_ref().is_none_or(|only| only == tenant)) {
                found.insert(key);
            }
            if found.len() == wanted {
                return Ok(found);
            }
        }
        cursor = next;
        ends += u32::from(cursor == 0);
        if ends == 2 {
            break;
        }
    }
    Ok(found)
}
