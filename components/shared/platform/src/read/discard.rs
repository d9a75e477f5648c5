//! Discarding a page of a list that is too large for an entry.

use crate::instance::Instance;
use cache::{Script, Slot};
use std::rc::Rc;

/// Has a page of a list discarded if it is too large for an entry: it has not come in time, and that may be why.
pub fn discard_later(instance: &Rc<Instance>, slot: &Slot<'_>) {
    let Some(discarding) = Discarding::begin(instance) else {
        return;
    };
    let (instance, script) = (Rc::clone(instance), Script::discard(slot));
    crate::sdk::wasip3::spawn(async move {
        let _discarding = discarding;
        // By another connection than the one that the page is coming by.
        if let Ok(connection) = instance.redis.connection(&instance.config).await {
            // If it fails, the next read that is kept waiting tries again.
            let _ = connection.run_aside(instance.config.redis_timeout, script).await;
        }
    });
}

/// One at a time, also when the request of the one before is dropped.
struct Discarding(Rc<Instance>);

impl Discarding {
    fn begin(instance: &Rc<Instance>) -> Option<Self> {
        (!instance.is_discarding.replace(true)).then(|| Self(Rc::clone(instance)))
    }
}

impl Drop for Discarding {
    fn drop(&mut self) {
        self.0.is_discarding.set(false);
    }
}
