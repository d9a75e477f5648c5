//! What operators see and order of the breaker and its outbox.

use crate::breaker::admission::renew;
use crate::breaker::attempt::connect;
use crate::breaker::{self, events, record};
use crate::instance::Instance;
use cache::breaker::{Event, Mode, Record};
use cache::protocol::unfenced_writes_are_over_at;
use rental::error::Error;
use std::rc::Rc;

/// Applies an operator's order; the record as it is afterwards.
///
/// # Errors
/// [`Error::Unavailable`] when the record cannot be changed.
pub async fn order(instance: &Instance, mode: Mode) -> Result<Rc<Record>, Error> {
    let (lease, longest) = (instance.config.breaker_lease, instance.config.longest_statement());
    let event = |now_ms| Event::Ordered { mode, over_ms: unfenced_writes_are_over_at(now_ms, lease, longest) };
    let (lease, before) = record::swap(instance, event)
        .await
        .map_err(|error| Error::Unavailable(format!("the breaker's record: {}", error.0)))?;
    Ok(events::accept(instance, lease, before.as_ref()))
}

/// Drains the outbox on an operator's request; how many rows there were.
///
/// # Errors
/// [`Error::Unavailable`] when the Redis that is trusted cannot be reached: another one must not be told instead.
pub async fn drain(instance: &Rc<Instance>) -> Result<usize, Error> {
    let record =
        renew(instance).await.ok_or_else(|| Error::Unavailable("the breaker's record cannot be read".into()))?;
    let connection = connect(instance).await.filter(|connection| record.trusts(&connection.run_id));
    let connection = connection.ok_or_else(|| Error::Unavailable("the trusted Redis cannot be reached".into()))?;
    breaker::drain::drain(instance, &connection).await
}
