//! What happens to the shared record, and telling of it.

use super::record;
use crate::instance::Instance;
use crate::key_value::Unreadable;
use crate::log::{self, Level};
use crate::webhook;
use cache::breaker::{Event, Lease, Record};
use cache::database::lineage::{self, Comparison, Seen};
use cache::protocol;
use rental::config::BreakerStore;
use rental::error::Error;
use rental::metrics::Count;
use std::rc::Rc;
use std::time::Duration;

/// The breaker's state is another one; the mode may be, too.
const CHANGED: &str = "breaker.changed";
/// An operator has ordered another mode.
const ORDERED: &str = "breaker.ordered";

/// Applies an event to the shared record and keeps what it is afterwards. `false` when this call changed nothing, also
/// because the store cannot be reached.
pub async fn report(instance: &Instance, event: Event<'_>) -> bool {
    apply(instance, |_| event).await.is_ok_and(|(_, before)| before.is_some())
}

/// [`report`]; the record as it is afterwards, and as it was before if this call changed it.
async fn apply<'a>(
    instance: &Instance,
    event: impl Fn(u64) -> Event<'a>,
) -> Result<(Rc<Record>, Option<Record>), Unreadable> {
    match record::swap(instance, event).await {
        Ok((lease, before)) => Ok((accept(instance, lease, before.as_ref()), before)),
        Err(error) => {
            log::write(Level::Error, "breaker.unwritable", &[("error", &error.0)]);
            Err(error)
        }
    }
}

/// Keeps what a swap has read, and says what it has changed; the record as it is now.
pub fn accept(instance: &Instance, lease: Lease, before: Option<&Record>) -> Rc<Record> {
    let record = lease.shared_record();
    instance.breaker.borrow_mut().keep(lease);
    if let Some(before) = before {
        announce(instance, before, &record);
    }
    record
}

/// Holds the breaker open until a write without a fence is over, which begins now and takes this long; how long it has to wait
/// before its statement.
///
/// # Errors
/// As [`take_out_of_use`].
pub async fn hold_for_write(instance: &Instance, longest: Duration) -> Result<Duration, Error> {
    let unfit = instance.breaker.borrow().unfit();
    let event = |now_ms| Event::UnfencedWrite { until_ms: protocol::over_at(now_ms, longest), unfit };
    take_out_of_use(instance, event).await
}

/// Applies an event that takes the cache out of use for all instances; how long until none of them acts on an older lease.
///
/// # Errors
/// [`Error::Unavailable`] when the record is in PostgreSQL and cannot be changed. Then hardly any write can be made either, and one
/// that was made is not answered. A key-value store that cannot be written stops no write.
pub async fn take_out_of_use<'a>(instance: &Instance, event: impl Fn(u64) -> Event<'a>) -> Result<Duration, Error> {
    let lease = instance.config.breaker_lease;
    match (apply(instance, event).await, instance.config.breaker_store) {
        (Ok((record, _)), _) => Ok(protocol::until_nobody_uses_the_cache(&record, record::now_ms(instance), lease)),
        (Err(_), BreakerStore::KeyValue) => Ok(lease),
        (Err(error), BreakerStore::Database) => {
            Err(Error::Unavailable(format!("the breaker's record cannot be changed: {}", error.0)))
        }
    }
}

/// Has the record know what PostgreSQL says of itself. If it may lack what it had before, the epoch moves.
pub async fn database_seen(instance: &Instance, seen: &Seen) {
    let record = instance.breaker.borrow().record();
    let known = record.as_ref().and_then(|record| record.database.as_ref());
    // Mostly it is nothing new, and the store need not be asked.
    if lineage::compare(known, seen, record::now_ms(instance)) != Comparison::Nothing {
        report(instance, Event::DatabaseSeen { seen }).await;
    }
}

/// Says what has changed: in the log, in the counts, to the webhook.
fn announce(instance: &Instance, before: &Record, record: &Record) {
    let epoch = record.epoch.to_string();
    let fields = [("state", record.state_name()), ("reason", &record.reason), ("epoch", &epoch)];
    if before.state_name() != record.state_name() {
        instance.counts.count(Count::Transition(record.state_kind()));
        webhook::notify(instance, CHANGED, record);
    } else if before.mode != record.mode {
        // The next change may depend on it, so it is told also where it changes nothing yet.
        webhook::notify(instance, ORDERED, record);
    }
    if before.mode != record.mode {
        log::write(Level::Warn, ORDERED, &[("mode", record.mode.name()), ("state", record.state_name())]);
    }
    if before.state != record.state {
        log::write(Level::Warn, CHANGED, &fields);
    } else if before.epoch != record.epoch {
        log::write(Level::Warn, "cache.epoch_moved", &fields);
    } else if before.suspicion != record.suspicion {
        let event = if record.suspicion.is_some() { "breaker.suspected" } else { "breaker.cleared" };
        log::write(Level::Warn, event, &fields);
    }
}
