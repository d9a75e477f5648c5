//! Seeing to it that an entry is in the cache, for warming.

use super::lookup::{look_up, open};
use super::miss::Miss;
use super::time_budget::TimeBudget;
use crate::instance::Instance;
use crate::region::read::Server;
use cache::{CacheStatus, Entry, Lookup, Slot};
use rental::domain::TenantId;
use rental::error::Error;
use std::rc::Rc;

/// What became of a value that was to be in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// It was read and stored.
    Stored,
    /// It is there, or somebody is reading it for the cache at this moment.
    Present,
    /// It may not be stored now, or could not be.
    Unstored,
}

/// Sees to it that a value is in the cache, as a reader that misses it does, under the same lock, and waits for nobody. It is
/// no lookup: nobody asked. `None` when the cache is not in use; `fetch` is not called then.
///
/// # Errors
/// Those of `fetch`.
pub async fn fill_through(
    instance: &Rc<Instance>,
    tenant: &TenantId,
    slot: &Slot<'_>,
    fetch: impl AsyncFn(Server) -> Result<Entry, Error>,
) -> Result<Option<Filled>, Error> {
    let budget = TimeBudget::new(instance);
    let Some((usable, mut found)) = look_up(instance, &budget, slot).await else {
        return Ok(None);
    };
    let miss = Miss::new(instance, tenant, &budget, &usable, slot);
    let (claim, mut rejected) = (miss.claim()?, Vec::new());
    // Twice at most: what is not taken for an entry is gone after the script has been told of it.
    for _ in 0..2 {
        if let Some(bytes) = found {
            match open(instance, bytes, slot, &usable) {
                Ok(_) => return Ok(Some(Filled::Present)),
                Err(print) => rejected = print,
            }
        }
        found = match claim.take(&rejected).await {
            None => return Ok(None),
            Some(Lookup::Leader { .. }) if !miss.may_store(&claim).await => return Ok(Some(Filled::Unstored)),
            Some(Lookup::Leader { demand }) => {
                let (_, status) = miss.lead(&claim, None, demand, fetch).await?;
                return Ok(Some(if status == CacheStatus::Stored { Filled::Stored } else { Filled::Unstored }));
            }
            Some(Lookup::Wait) => return Ok(Some(Filled::Present)),
            Some(Lookup::Fenced) => return Ok(Some(Filled::Unstored)),
            Some(Lookup::Value(bytes)) => Some(bytes),
        };
    }
    Ok(Some(Filled::Unstored))
}
