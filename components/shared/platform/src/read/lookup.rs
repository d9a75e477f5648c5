//! The first look into the cache: one command.

use super::discard::discard_later;
use super::time_budget::TimeBudget;
use crate::breaker::admission::{admission, renew, trusted_for};
use crate::breaker::attempt::attempt;
use crate::breaker::usable::Usable;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::region::lease::admit;
use cache::breaker::{Admission, Record, still_counts};
use cache::{Entry, RedisFailure, Rejection, Slot, fingerprint};
use futures::future::join;
use rental::metrics::Count;
use std::rc::Rc;

/// Looks into `slot`: one command; `None` when the cache is not in use. With a lapsed lease the breaker's record is read at the
/// same time, and what Redis says counts only if the record still admits it.
pub async fn look_up(
    instance: &Rc<Instance>,
    budget: &TimeBudget,
    slot: &Slot<'_>,
) -> Option<(Usable, Option<Vec<u8>>)> {
    match admission(instance) {
        Admission::Barred => None,
        Admission::Admitted(record) => get(instance, budget, record, slot).await,
        Admission::Unknown => {
            let record = Box::pin(renew(instance)).await.filter(|record| record.admits())?;
            get(instance, budget, record, slot).await
        }
        Admission::Lapsed(record) => {
            let getting = get(instance, budget, Rc::clone(&record), slot);
            let (renewed, found) = Box::pin(join(renew(instance), getting)).await;
            let renewed = renewed?;
            found.filter(|(usable, _)| still_counts(&usable.record, &renewed))
        }
    }
}

async fn get(
    instance: &Rc<Instance>,
    budget: &TimeBudget,
    record: Rc<Record>,
    slot: &Slot<'_>,
) -> Option<(Usable, Option<Vec<u8>>)> {
    // In a region what is asked before its lease on the log says nothing.
    let wanted = instance.config.region.is_none().then_some(slot);
    let (usable, sent) = budget.spend(|_| trusted_for(instance, record, wanted)).await?;
    let usable = match &instance.config.region {
        None => usable,
        // Boxed: a hit of a single region moves nothing of it about.
        Some(region) => budget.spend(|_| Box::pin(admit(instance, region, usable))).await?,
    };
    let command = async {
        match budget.spend(|left| usable.connection.get(left, slot, sent)).await {
            // `lookup.lua` deletes invalid values; what Redis refuses us it refuses that script too.
            Err(failure @ RedisFailure::Refused(_)) => {
                if let Some(rejection) = failure.rejection() {
                    reject(instance, rejection);
                }
                Ok(None)
            }
            answer => {
                if slot.key().is_list() && answer.is_err() {
                    discard_later(instance, slot);
                }
                answer
            }
        }
    };
    let found = attempt(instance, command).await?;
    Some((usable, found))
}

/// Opens an entry, or answers the fingerprint of one that is not taken.
pub fn open(instance: &Instance, bytes: Vec<u8>, slot: &Slot<'_>, usable: &Usable) -> Result<Entry, Vec<u8>> {
    let print = fingerprint(&bytes).to_vec();
    slot.open(bytes, usable.stamp()).map_err(|rejection| {
        reject(instance, rejection);
        print
    })
}

fn reject(instance: &Instance, rejection: Rejection) {
    instance.counts.count(Count::Rejected(rejection));
    log::write(Level::Warn, "cache.rejected", &[("reason", rejection.name())]);
}
