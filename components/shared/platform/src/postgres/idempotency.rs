//! Idempotency keys that have run out.

use super::call;
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::metrics;
use rental::sql::Parameter;
use std::rc::Rc;

/// How many are removed at a time. A write adds one at most, so they are removed faster than they come.
const BATCH: i64 = 100;

/// Removes some in the background. They are ignored as it is; this keeps the table small.
pub fn remove_expired_keys(instance: &Rc<Instance>) {
    let instance = Rc::clone(instance);
    crate::sdk::wasip3::spawn(async move {
        if let Err(failure) = call(&instance, "remove_expired_idempotency_keys", vec![Parameter::Integer(BATCH)]).await
        {
            log::write(Level::Warn, "idempotency_keys.left", &[("error", &failure.error.to_string())]);
        }
        metrics::flush_later(&instance);
    });
}
