//! Whether this instance may use the cache right now: its lease on the breaker's record, and the Redis that the record trusts.

use super::attempt::connect_for;
use super::database_lease;
use super::events::report;
use super::probe::{probe_and_wait, probe_in_background};
use super::record;
use super::usable::Usable;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::redis::Sent;
use crate::region::lease::{admit, comes};
use crate::time::clock;
use cache::Slot;
use cache::breaker::{Admission, Event, Record};
use rental::error::Error;
use std::rc::Rc;

/// What the lease and this instance's own cooldown allow. Renews the lease in the background before it lapses, so that requests
/// hardly ever wait for that.
pub fn admission(instance: &Rc<Instance>) -> Admission {
    let (admission, renew_soon) = instance.breaker.borrow().admission(clock::elapsed(), instance.config.breaker_lease);
    if renew_soon {
        renew_in_background(instance);
    }
    admission
}

fn renew_in_background(instance: &Rc<Instance>) {
    if !instance.breaker.borrow_mut().begin_renewal() {
        return;
    }
    let instance = Rc::clone(instance);
    crate::sdk::wasip3::spawn(async move {
        renew(&instance).await;
        instance.breaker.borrow_mut().end_renewal();
    });
}

/// Reads the record. `None`, and so no cache, when the store cannot be read. A probe that is due is started; on the very
/// first start it is waited for, so that the first requests already find the cache in use.
pub async fn renew(instance: &Rc<Instance>) -> Option<Rc<Record>> {
    let lease = match record::read(instance).await {
        Ok(Some(lease)) => lease,
        Ok(None) => {
            probe_and_wait(instance).await;
            return instance.breaker.borrow().record();
        }
        Err(error) => {
            log::write(Level::Error, "breaker.unreadable", &[("error", &error.0)]);
            instance.breaker.borrow_mut().forget_record();
            return None;
        }
    };
    let record = lease.shared_record();
    instance.breaker.borrow_mut().keep(lease);
    let now = record::now_ms(instance);
    if record.probe_is_due(now) {
        drop(probe_in_background(instance));
    }
    database_lease::ask_if_due(instance, record.database.as_ref().is_some_and(|known| known.is_overdue(now)));
    Some(record)
}

/// Connects to the Redis that `record` trusts. When another one is at the other end it is reported, and probed at once;
/// if no lease from before has to be waited for, this very request can use the cache in its new epoch.
pub async fn trusted(instance: &Rc<Instance>, record: Rc<Record>) -> Option<Usable> {
    Some(trusted_for(instance, record, None).await?.0)
}

/// [`trusted`]; a new connection is asked for what is `wanted` at once. That comes from the Redis that the record trusts.
pub async fn trusted_for(
    instance: &Rc<Instance>,
    record: Rc<Record>,
    wanted: Option<&Slot<'_>>,
) -> Option<(Usable, Option<Sent>)> {
    let (mut connection, mut sent) = connect_for(instance, wanted).await?;
    let mut is_trusted = record.trusts(&connection.run_id);
    if !is_trusted {
        // The kept connection may be the outdated one: a failover leaves the old server's connections open.
        connection.give_up();
        (connection, sent) = connect_for(instance, wanted).await?;
        is_trusted = record.trusts(&connection.run_id);
    }
    if is_trusted {
        return Some((Usable { record, connection, lease: None }, sent));
    }
    report(instance, Event::AnotherRedis { run_id: &connection.run_id }).await;
    probe_and_wait(instance).await;
    let record = instance.breaker.borrow().record()?;
    // What it said before the probe is of before the new epoch.
    (record.admits() && record.trusts(&connection.run_id)).then_some((Usable { record, connection, lease: None }, None))
}

/// The cache, for an operator: by the record as it is now, whatever the lease says.
///
/// # Errors
/// [`Error::CacheOutOfUse`].
pub async fn usable(instance: &Rc<Instance>) -> Result<Usable, Error> {
    let record = renew(instance).await.filter(|record| record.admits()).ok_or(Error::CacheOutOfUse)?;
    let usable = trusted(instance, record).await.ok_or(Error::CacheOutOfUse)?;
    let Some(region) = &instance.config.region else {
        return Ok(usable);
    };
    // In a region that sleeps nobody reads the log.
    comes(instance, &usable).await;
    admit(instance, region, usable).await.ok_or(Error::CacheOutOfUse)
}
