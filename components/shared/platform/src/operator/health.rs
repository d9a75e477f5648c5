//! Whether the cache is in use, for health.

use crate::breaker::admission::{admission, renew, trusted};
use crate::breaker::attempt::attempt;
use crate::breaker::usable::Usable;
use crate::instance::Instance;
use crate::region::lease::comes;
use crate::time::clock;
use cache::Script;
use cache::breaker::Admission;
use std::rc::Rc;

/// Why the cache is not in use, for an administrator; `None` when it is: the breaker admits it, and the Redis that is trusted
/// does what readers and writers ask of it. A server that refuses them is no failure for the breaker, and no cache.
pub async fn why_cache_is_not_in_use(instance: &Rc<Instance>) -> Option<String> {
    let record = match admission(instance) {
        Admission::Admitted(record) => record,
        Admission::Barred | Admission::Lapsed(_) | Admission::Unknown => match renew(instance).await {
            Some(record) if record.admits() => record,
            Some(record) => return Some(format!("the breaker is {}: {}", record.state_name(), record.reason)),
            None => return Some("the breaker's record cannot be read".into()),
        },
    };
    // What this instance has seen of Redis may keep it away from it, whatever the record says.
    let usable = match admission(instance) {
        Admission::Barred => None,
        _ => trusted(instance, record).await,
    };
    match usable {
        Some(usable) if !comes(instance, &usable).await => {
            Some("the log of invalidations has not been read within region_staleness_ms".into())
        }
        Some(usable) => tried(instance, &usable).await,
        None => {
            Some(instance.breaker.borrow().problem().unwrap_or_else(|| "the trusted Redis cannot be reached".into()))
        }
    }
}

/// What a trial of Redis has shown, by one script a lease at most: anybody may ask for health, as often as he likes.
async fn tried(instance: &Rc<Instance>, usable: &Usable) -> Option<String> {
    let now = clock::elapsed();
    let last =
        instance.trial.borrow().clone().filter(|(at, _)| now.saturating_sub(*at) < instance.config.breaker_lease);
    if let Some((_, shown)) = last {
        return shown;
    }
    let trial =
        usable.connection.run(instance.config.redis_timeout, Script::check_commands(&instance.config.namespace));
    let shown = match attempt(instance, trial).await {
        Some(_) => None,
        None => instance.breaker.borrow().problem(),
    };
    instance.trial.replace(Some((now, shown.clone())));
    shown
}
