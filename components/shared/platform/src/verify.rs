//! Verifying the cache: the I/O around [`rental::operator::verify`].

use super::breaker::{Usable, usable};
use super::source::fetch;
use super::turns::Turns;
use super::{clock, metrics, outbox, record};
use rental::config::Config;
use rental::domain::TenantId;
use rental::error::Error;
use crate::log::{self, Level};
use rental::metrics::Count;
use rental::operator::Verified;
use rental::operator::pace::WORKING_TIME;
use rental::operator::verify::{Evidence, Verdict, VerifyOrder};
use rental::source::Source;
use cache::isolated_store;
use cache::{CacheKey, Entry, RedisFailure, Script, Sighting, prefix};
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
pub async fn verify(config: &Rc<Config>, order: &VerifyOrder) -> Result<Verified, Error> {
    let usable = usable(config).await?;
    let turns = Turns::new(order.rate);
    let mut found = Verified::default();
    let began = clock::elapsed();
    for (tenant, resource) in sample(config, &usable, order).await? {
        if clock::elapsed().saturating_sub(began) >= WORKING_TIME {
            break;
        }
        let verdict = examine(config, &usable, &turns, &tenant, resource, "cache.inconsistent").await?;
        if let Verdict::Consistent | Verdict::Inconsistent(_) = verdict {
            metrics::count(Count::Verified);
        }
        if let Verdict::Inconsistent(reason) = verdict {
            metrics::count(Count::Inconsistent(reason));
        }
        found.count(verdict);
    }
    Ok(found)
}

/// Looks at one entry. What is inconsistent is told as `event`, and deleted.
///
/// # Errors
/// [`Error::Unavailable`] when Redis or PostgreSQL does not answer.
pub async fn examine(
    config: &Config,
    usable: &Usable,
    turns: &Turns,
    tenant: &TenantId,
    resource: Resource,
    event: &str,
) -> Result<Verdict, Error> {
    let verdict = look(config, usable, turns, tenant, resource).await?;
    if let Verdict::Inconsistent(reason) = verdict {
        let fields = [("reason", reason.name()), ("tenant", tenant.as_str()), ("kind", kind(resource))];
        log::write(Level::Error, event, &fields);
        let key = CacheKey::new(&config.namespace, tenant, resource);
        // As after a write, so that whoever is just reading what was there before cannot store it again.
        outbox::invalidate(config, &usable.kept, &[key], "").await.map_err(unavailable)?;
    }
    Ok(verdict)
}

fn unavailable(failure: RedisFailure) -> Error {
    Error::Unavailable(format!("Redis: {failure}"))
}

fn kind(resource: Resource) -> &'static str {
    match resource {
        Resource::Property(_) => "property",
        Resource::PropertyList => "properties",
        Resource::Payment(_) => "payment",
        Resource::PaymentList(_) => "payments",
    }
}

/// Keys from a random place of the walk through all keys on, which Redis goes through by their hashes: neighbours there have
/// nothing to do with each other. At its end the walk goes on at its beginning, once.
async fn sample(config: &Config, usable: &Usable, order: &VerifyOrder) -> Result<HashSet<(TenantId, Resource)>, Error> {
    let wanted = usize::try_from(order.sample).unwrap_or(usize::MAX);
    let glob = match &order.tenant {
        Some(tenant) => format!("{}*", prefix(&config.namespace, tenant)),
        None => format!("{}*", config.namespace.as_str()),
    };
    let mut cursor = u32::from_le_bytes(clock::random()?).into();
    let (mut found, mut ends) = (HashSet::new(), 0);
    for _ in 0..MAX_STEPS {
        let step = usable.kept.scan(config.redis_timeout, cursor, &glob, KEYS_PER_STEP).await;
        let (next, keys) = step.map_err(unavailable)?;
        for key in keys {
            let key = std::str::from_utf8(&key).ok().and_then(|key| CacheKey::parse(&config.namespace, key));
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

/// Looks at one entry: of a list at one of its pages.
async fn look(
    config: &Config,
    usable: &Usable,
    turns: &Turns,
    tenant: &TenantId,
    resource: Resource,
) -> Result<Verdict, Error> {
    let key = CacheKey::new(&config.namespace, tenant, resource);
    let field = if key.is_list() {
        match any_field(config, usable, &key).await? {
            Some(field) => field,
            None => return Ok(Verdict::Gone),
        }
    } else {
        String::new()
    };
    let Some(source) = Source::of(resource, &field) else {
        return Ok(Verdict::Refused);
    };
    let Some(before) = sight(config, usable, &key, &field).await? else {
        return Ok(Verdict::Gone);
    };
    let seal = config.seals.as_ref().map(|seals| seals.of(tenant));
    let name = format!("{}\n{field}", key.as_str());
    let Ok(entry) = Entry::open(before.bytes.clone(), &name, usable.record.epoch, seal.as_deref()) else {
        return Ok(Verdict::Refused);
    };
    for _ in 0..2 {
        turns.wait().await;
        if turns.take(fetch(config, tenant, &source)).await? == entry {
            return Ok(Verdict::Consistent);
        }
    }
    let after = sight(config, usable, &key, &field).await?;
    let evidence = Evidence {
        before: &before,
        after: after.as_ref(),
        outbox_age: outbox::age_of(config, tenant, resource).await?,
        was_in_use: was_in_use(config, usable).await,
        settling_time: (!config.key_value_shared).then(|| unshared::settling_time(config.breaker_lease)),
    };
    Ok(evidence.verdict())
}

/// The name of one page of a list. What is no list is looked at, and refused.
async fn any_field(config: &Config, usable: &Usable, key: &CacheKey) -> Result<Option<String>, Error> {
    let answer = usable.kept.run(config.redis_timeout, Script::any_page(key)).await.map_err(unavailable)?;
    Ok(answer.into_iter().next().map(|field| String::from_utf8_lossy(&field).into_owned()))
}

async fn sight(config: &Config, usable: &Usable, key: &CacheKey, field: &str) -> Result<Option<Sighting>, Error> {
    let answer = usable.kept.run(config.redis_timeout, Script::sight(key, field)).await.map_err(unavailable)?;
    Sighting::parse(answer).map_err(|error| Error::Internal(error.to_string()))
}

/// Whether the cache has been in use since the sample was taken: the record is the one of then, or has not left its state.
async fn was_in_use(config: &Config, usable: &Usable) -> bool {
    let Ok(Some(lease)) = record::read(config).await else {
        return false;
    };
    let (then, now) = (&usable.record, lease.shared_record());
    now.admits() && now.since_ms == then.since_ms && now.epoch == then.epoch && now.trusts(&usable.kept.run_id)
}
