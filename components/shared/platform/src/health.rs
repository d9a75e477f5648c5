//! Whether the cache is in use, for health.

use super::breaker::{Usable, admission, attempt, last_problem, renew, trusted};
use super::clock;
use rental::config::Config;
use cache::Script;
use cache::protocol::Admission;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

thread_local! {
    /// When Redis was last tried, and why it was of no use.
    static TRIAL: RefCell<Option<(Duration, Option<String>)>> = const { RefCell::new(None) };
}

/// Why the cache is not in use, for an administrator; `None` when it is: the breaker admits it, and the Redis that is trusted
/// does what readers and writers ask of it. A server that refuses them is no failure for the breaker, and no cache.
pub async fn why_cache_is_not_in_use(config: &Rc<Config>) -> Option<String> {
    let record = match admission(config) {
        Admission::Admitted(record) => record,
        Admission::Barred | Admission::Lapsed(_) | Admission::Unknown => match renew(config).await {
            Some(record) if record.admits() => record,
            Some(record) => return Some(format!("the breaker is {}: {}", record.state_name(), record.reason)),
            None => return Some("the breaker's record cannot be read".into()),
        },
    };
    // What this instance has seen of Redis may keep it away from it, whatever the record says.
    let usable = match admission(config) {
        Admission::Barred => None,
        _ => trusted(config, record).await,
    };
    match usable {
        Some(usable) => tried(config, &usable).await,
        None => Some(last_problem().unwrap_or_else(|| "the trusted Redis cannot be reached".into())),
    }
}

/// What a trial of Redis has shown, by one script a lease at most: anybody may ask for health, as often as he likes.
async fn tried(config: &Config, usable: &Usable) -> Option<String> {
    let now = clock::elapsed();
    let last =
        TRIAL.with_borrow(|trial| trial.clone().filter(|(at, _)| now.saturating_sub(*at) < config.breaker_lease));
    if let Some((_, shown)) = last {
        return shown;
    }
    let trial = usable.kept.run(config.redis_timeout, Script::trial(&config.namespace));
    let shown = match attempt(config, trial).await {
        Some(_) => None,
        None => last_problem(),
    };
    TRIAL.set(Some((now, shown.clone())));
    shown
}
