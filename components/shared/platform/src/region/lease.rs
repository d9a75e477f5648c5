//! The lease on the cache of a region: it may be used while the log was read at most the bound ago.

use super::ask::ask;
use crate::breaker::admission::admission;
use crate::breaker::usable::Usable;
use crate::instance::Instance;
use crate::redis::Connection;
use crate::scope;
use crate::time::clock::{elapsed, sleep};
use cache::breaker::Admission;
use cache::region::LogLease;
use rental::config::Region;
use std::rc::Rc;
use std::time::Duration;

/// How soon who waits for a lease asks for it again.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(25);

/// `usable` with its lease on the log, or `None` when it may not be used: the log was read too long ago, or not as far as the session of
/// the request has seen.
pub async fn admit(instance: &Rc<Instance>, region: &Region, usable: Usable) -> Option<Usable> {
    let lease = hold(instance, region, &usable.connection, usable.record.epoch).await?;
    lease.worked_off.shows(scope::demand()).then_some(Usable { lease: Some(lease), ..usable })
}

/// Waits for a lease on the log, as long as reading it may take; for an operator, who may be the only one to ask in a region that sleeps.
pub async fn comes(instance: &Rc<Instance>, usable: &Usable) -> bool {
    let Some(region) = &instance.config.region else {
        return true;
    };
    let began = elapsed();
    loop {
        if hold(instance, region, &usable.connection, usable.record.epoch).await.is_some() {
            return true;
        }
        if elapsed().saturating_sub(began) >= region.staleness {
            return false;
        }
        sleep(ASK_AGAIN_AFTER).await;
    }
}

/// Waits until the log is worked off as far as PostgreSQL shows it now, or the cache is out of use: an entry may be older for so long.
pub async fn until_worked_off(instance: &Rc<Instance>, usable: &Usable) {
    if let Some(region) = &instance.config.region {
        sleep(region.staleness).await;
        comes(instance, usable).await;
    }
}

/// The lease that is held, or a new one. It is renewed in the background, so that requests hardly ever wait for that.
async fn hold(
    instance: &Rc<Instance>,
    region: &Region,
    connection: &Rc<Connection>,
    epoch: u64,
) -> Option<Rc<LogLease>> {
    let held = instance.region.lease.borrow().clone().filter(|lease| lease.admits(epoch, elapsed()));
    let Some(lease) = held else {
        return ask(instance, region, connection, epoch).await;
    };
    if lease.is_due(region.staleness, elapsed()) {
        ask_in_background(instance, connection, epoch);
    }
    Some(lease)
}

/// Has the log read if that is due, though nobody reads in this region: so long the fences of its own writes stand, and the next write of
/// a row meets those of all before.
pub fn keep_up(instance: &Rc<Instance>, connection: &Rc<Connection>) {
    let (Some(region), Admission::Admitted(record)) = (&instance.config.region, admission(instance)) else {
        return;
    };
    if !record.trusts(&connection.run_id) {
        return;
    }
    let held = instance.region.lease.borrow().clone().filter(|lease| lease.admits(record.epoch, elapsed()));
    if held.is_none_or(|lease| lease.is_due(region.staleness, elapsed())) {
        ask_in_background(instance, connection, record.epoch);
    }
}

fn ask_in_background(instance: &Rc<Instance>, connection: &Rc<Connection>, epoch: u64) {
    if instance.region.is_asking.replace(true) {
        return;
    }
    let (instance, connection) = (Rc::clone(instance), Rc::clone(connection));
    crate::sdk::wasip3::spawn(async move {
        if let Some(region) = &instance.config.region {
            ask(&instance, region, &connection, epoch).await;
        }
        instance.region.is_asking.set(false);
    });
}
