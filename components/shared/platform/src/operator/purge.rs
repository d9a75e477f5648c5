//! Removing values of the cache by the pattern of their names.

use crate::breaker::admission::renew;
use crate::breaker::attempt::connect;
use crate::instance::Instance;
use crate::time::clock;
use cache::read_lease::wait_after_fence;
use cache::{KeyPattern, RedisFailure, Script, prefix};
use rental::domain::TenantId;
use rental::error::Error;
use std::rc::Rc;

/// How many keys Redis looks at in one step: a fraction of a millisecond, during which it serves nobody else.
const KEYS_PER_STEP: u32 = 1_000;
/// How many steps a request makes: of a hundred thousand keys it walks through all, in well below a second.
const MAX_STEPS: u32 = 100;

/// How far a walk has come.
pub struct Purged {
    /// How many values it removed.
    pub removed: u64,
    /// Where to go on; `None` when it has seen every key.
    pub cursor: Option<u64>,
}

/// Removes the values of `tenant` whose names match `pattern`, from `cursor` on. Locks and fences stay: a removed value is
/// only a miss, whoever is filling or changing it. When it is answered no instance answers from them any more: it waits for read
/// leases.
///
/// # Errors
/// [`Error::Unavailable`] when the Redis that is trusted cannot be reached.
pub async fn purge(
    instance: &Rc<Instance>,
    tenant: &TenantId,
    pattern: &KeyPattern,
    cursor: u64,
) -> Result<Purged, Error> {
    let record =
        renew(instance).await.ok_or_else(|| Error::Unavailable("the breaker's record cannot be read".into()))?;
    let connection = connect(instance).await.filter(|connection| record.trusts(&connection.run_id));
    let connection = connection.ok_or_else(|| Error::Unavailable("the trusted Redis cannot be reached".into()))?;
    let failed = |failure: RedisFailure| Error::Unavailable(format!("Redis: {failure}"));
    let (glob, prefix) =
        (pattern.glob(&instance.config.namespace, tenant.owner()), prefix(&instance.config.namespace, tenant.owner()));
    let (mut removed, mut rest) = (0, Some(cursor));
    for _ in 0..MAX_STEPS {
        let Some(cursor) = rest else { break };
        let (next, mut keys) =
            connection.scan(instance.config.redis_timeout, cursor, &glob, KEYS_PER_STEP).await.map_err(failed)?;
        // The pattern admits no other; what is deleted does not rest on how Redis reads patterns.
        keys.retain(|key| key.starts_with(prefix.as_bytes()));
        if !keys.is_empty() {
            removed += connection.delete(instance.config.redis_timeout, keys).await.map_err(failed)?;
        }
        rest = (next != 0).then_some(next);
    }
    let leases = Script::fence(&instance.config.namespace, [], "", 0);
    let answer = connection.run(instance.config.redis_timeout, leases).await.map_err(failed)?;
    clock::sleep(wait_after_fence(&answer, instance.config.read_lease)).await;
    Ok(Purged { removed, cursor: rest })
}
