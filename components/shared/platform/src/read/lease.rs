//! Answering again from what was got a moment ago, without Redis. What may be kept, and for how long, is decided in
//! [`cache::read_lease`].

use crate::breaker::admission::admission;
use crate::breaker::usable::Usable;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::redis::Connection;
use crate::time::clock;
use cache::breaker::Admission;
use cache::read_lease::{REGISTRATION_MS, ReadStart};
use cache::{Entry, Script, Slot};
use std::rc::Rc;

/// The entry of `slot`, if it may be answered again.
pub fn cached(instance: &Rc<Instance>, slot: &Slot<'_>) -> Option<Entry> {
    if instance.config.read_lease.is_zero() {
        return None;
    }
    match admission(instance) {
        Admission::Admitted(record) => instance.read_leases.borrow_mut().answer(slot, record.epoch, clock::elapsed()),
        Admission::Lapsed(_) | Admission::Unknown | Admission::Barred => None,
    }
}

/// A read that is about to ask Redis, if what it gets may be answered again.
pub fn start_read(instance: &Instance) -> Option<ReadStart> {
    let lapses_at = instance.breaker.borrow().lease_lapses_at(instance.config.breaker_lease)?;
    ReadStart::at(clock::elapsed(), instance.config.read_lease, lapses_at)
}

/// Keeps what Redis answered to `asked`; the bytes as they came if they are `sealed`.
pub fn keep(
    instance: &Rc<Instance>,
    usable: &Usable,
    slot: &Slot<'_>,
    asked: ReadStart,
    entry: &Entry,
    sealed: Option<Vec<u8>>,
) {
    let mut leases = instance.read_leases.borrow_mut();
    if leases.may_keep(&usable.connection.run_id, asked) {
        leases.keep(slot, usable.record.epoch, asked, entry, sealed);
    }
    if leases.begin_registration(&usable.connection.run_id, clock::elapsed()) {
        crate::sdk::wasip3::spawn(register(Rc::clone(instance), Rc::clone(&usable.connection)));
    }
}

/// Registers this instance in Redis. Until Redis has confirmed it, nothing is kept.
async fn register(instance: Rc<Instance>, connection: Rc<Connection>) {
    let lease_ms = u64::try_from(instance.config.read_lease.as_millis()).unwrap_or(u64::MAX);
    let script = Script::register_read_lease(&instance.config.namespace, lease_ms, REGISTRATION_MS);
    let sent_at = clock::elapsed();
    match connection.run_aside(instance.config.redis_timeout, script).await {
        Ok(_) => instance.read_leases.borrow_mut().registered(&connection.run_id, sent_at, clock::elapsed()),
        Err(failure) => log::write(Level::Warn, "read_lease.unregistered", &[("error", &failure.to_string())]),
    }
}
