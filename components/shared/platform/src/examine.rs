//! Examining one entry of the cache: whether it is what PostgreSQL has. The decision is [`rental::operator::verify`]'s.

use crate::breaker::record;
use crate::breaker::usable::Usable;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::pacing::Pacing;
use crate::postgres::outbox;
use crate::region::lease::until_worked_off;
use crate::region::read::Server;
use crate::source::{fetch, seen, slot};
use cache::{CacheKey, RedisFailure, Script, Sighting, Slot};
use rental::domain::TenantId;
use rental::error::Error;
use rental::operator::verify::{Evidence, Finding};
use rental::resource::Resource;
use rental::source::Source;
use std::rc::Rc;

/// Looks at one entry. What is inconsistent is told as `event`, and deleted.
///
/// # Errors
/// [`Error::Unavailable`] when Redis or PostgreSQL does not answer.
pub async fn examine(
    instance: &Rc<Instance>,
    usable: &Usable,
    pacing: &Pacing,
    tenant: &TenantId,
    resource: Resource,
    event: &str,
) -> Result<Finding, Error> {
    let finding = compare(instance, usable, pacing, tenant, resource).await?;
    if let Finding::Inconsistent(reason) = finding {
        let fields = [("reason", reason.name()), ("tenant", tenant.as_str()), ("kind", kind(resource))];
        log::write(Level::Error, event, &fields);
        let key = CacheKey::new(&instance.config.namespace, tenant.owner(), &resource);
        // As after a write, so that whoever is just reading what was there before cannot store it again.
        outbox::invalidate(instance, &usable.connection, &[key], "").await.map_err(unavailable)?;
    }
    Ok(finding)
}

/// Redis has not answered.
pub fn unavailable(failure: RedisFailure) -> Error {
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

/// Looks at one entry: of a list at one of its pages.
async fn compare(
    instance: &Rc<Instance>,
    usable: &Usable,
    pacing: &Pacing,
    tenant: &TenantId,
    resource: Resource,
) -> Result<Finding, Error> {
    let key = CacheKey::new(&instance.config.namespace, tenant.owner(), &resource);
    let field = if key.is_list() {
        match any_field(instance, usable, &key).await? {
            Some(field) => field,
            None => return Ok(Finding::Gone),
        }
    } else {
        String::new()
    };
    let Some(source) = Source::of(resource, &field) else {
        return Ok(Finding::Refused);
    };
    let slot = slot(instance, tenant, &source, &field);
    let Some(before) = sight(instance, usable, &slot).await? else {
        return Ok(Finding::Gone);
    };
    let Ok(mut entry) = slot.open(before.bytes.clone(), usable.stamp()) else {
        return Ok(Finding::Refused);
    };
    seen(instance, &mut entry);
    for _ in 0..2 {
        pacing.wait().await;
        let mut fetched = pacing.take(fetch(instance, tenant, &source, Server::Primary)).await?;
        seen(instance, &mut fetched);
        if fetched == entry {
            return Ok(Finding::Consistent);
        }
    }
    until_worked_off(instance, usable).await;
    let after = sight(instance, usable, &slot).await?;
    let evidence = Evidence {
        before: &before,
        after: after.as_ref(),
        is_in_outbox: outbox::holds(instance, tenant, resource).await?,
        was_in_use: was_in_use(instance, usable).await,
    };
    Ok(evidence.finding())
}

/// The name of one page of a list. What is no list is looked at, and refused.
async fn any_field(instance: &Instance, usable: &Usable, key: &CacheKey) -> Result<Option<String>, Error> {
    let answer =
        usable.connection.run(instance.config.redis_timeout, Script::any_page(key)).await.map_err(unavailable)?;
    Ok(answer.into_iter().next().map(|field| String::from_utf8_lossy(&field).into_owned()))
}

async fn sight(instance: &Instance, usable: &Usable, slot: &Slot<'_>) -> Result<Option<Sighting>, Error> {
    let answer =
        usable.connection.run(instance.config.redis_timeout, Script::sight(slot)).await.map_err(unavailable)?;
    Sighting::parse(answer).map_err(|error| Error::Internal(error.to_string()))
}

/// Whether the cache has been in use since the sample was taken: the record is the one of then, or has not left its state.
async fn was_in_use(instance: &Instance, usable: &Usable) -> bool {
    let Ok(Some(lease)) = record::read(instance).await else {
        return false;
    };
    let (then, now) = (&usable.record, lease.shared_record());
    now.admits() && now.since_ms == then.since_ms && now.epoch == then.epoch && now.trusts(&usable.connection.run_id)
}
