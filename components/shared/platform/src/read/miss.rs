//! The way from a miss to an answer: lock, read, store.

use super::lock::Claim;
use super::lookup::open;
use super::share;
use super::time_budget::TimeBudget;
use crate::breaker::database_lease;
use crate::breaker::usable::Usable;
use crate::instance::Instance;
use crate::region::read::Server;
use crate::time::{clock, random, within};
use cache::flight::Leader;
use cache::{
    CacheStatus, Entry, Fill, Lookup, MAX_STORED_BYTES, Script, Slot, WAIT_BUDGET, ttl_ms, wait_before_attempt,
};
use rental::domain::TenantId;
use rental::error::Error;
use rental::metrics::{Count, FillResult};
use std::rc::Rc;
use std::time::Duration;

/// One read that has missed.
pub struct Miss<'a> {
    /// The instance.
    instance: &'a Rc<Instance>,
    /// Whose entry it is.
    tenant: &'a TenantId,
    /// How long it still waits for Redis.
    budget: &'a TimeBudget,
    /// The cache that it missed in.
    usable: &'a Usable,
    /// Where the entry belongs.
    slot: &'a Slot<'a>,
    /// Since when it has waited for another's read, on the instance's monotonic clock.
    since: Duration,
}

impl<'a> Miss<'a> {
    /// A read that has just missed.
    pub fn new(
        instance: &'a Rc<Instance>,
        tenant: &'a TenantId,
        budget: &'a TimeBudget,
        usable: &'a Usable,
        slot: &'a Slot<'a>,
    ) -> Self {
        Self { instance, tenant, budget, usable, slot, since: clock::elapsed() }
    }

    /// A claim to the lock on the slot.
    pub fn claim(&self) -> Result<Claim<'_>, Error> {
        Claim::new(self.instance, self.usable, self.slot, self.budget)
    }

    /// Waits for another request of this instance that is reading the same. `None` when there is none, or when it had
    /// nothing to share.
    pub async fn follow(&self) -> Option<Entry> {
        let leader = self.instance.followers.follow(self.slot.name())?;
        within(WAIT_BUDGET, leader).await?.ok()
    }

    /// The way from a miss to an answer.
    pub async fn answer(
        &self,
        mut rejected: Vec<u8>,
        leader: Option<Leader<'_, Entry>>,
        fetch: impl AsyncFn(Server) -> Result<Entry, Error>,
    ) -> Result<(Entry, CacheStatus), Error> {
        let claim = self.claim()?;
        let mut looks = 0;
        loop {
            let Some(lookup) = claim.take(&rejected).await else {
                drop(claim);
                return Ok((share(self.instance, self.slot, fetch).await?, CacheStatus::Bypass));
            };
            match lookup {
                Lookup::Leader { demand } if self.may_store(&claim).await => {
                    return self.lead(&claim, leader, demand, fetch).await;
                }
                Lookup::Leader { .. } => {
                    drop(leader);
                    return Ok((share(self.instance, self.slot, fetch).await?, CacheStatus::Miss));
                }
                Lookup::Fenced => return Ok((share(self.instance, self.slot, fetch).await?, CacheStatus::Miss)),
                Lookup::Value(bytes) => match open(self.instance, bytes, self.slot, self.usable) {
                    Ok(entry) if looks == 0 => return Ok((entry, CacheStatus::Hit)),
                    Ok(entry) => return Ok((entry, CacheStatus::Collapsed)),
                    Err(bytes) => rejected = bytes,
                },
                Lookup::Wait => self.budget.renew(),
            }
            let waited = clock::elapsed().saturating_sub(self.since);
            let Some(pause) = wait_before_attempt(looks, waited).filter(|_| self.budget.is_long()) else {
                return Ok((share(self.instance, self.slot, fetch).await?, CacheStatus::Miss));
            };
            self.instance.counts.count(Count::LockWait);
            clock::sleep(pause).await;
            looks += 1;
        }
    }

    /// Whether a leader may store what it is going to read. If not, it gives its lock back.
    pub async fn may_store(&self, claim: &Claim<'_>) -> bool {
        let may = database_lease::vouches_for(self.instance, self.tenant).await;
        if !may {
            self.instance.counts.count(Count::Fill(FillResult::InDoubt));
            claim.release().await;
        }
        may
    }

    /// Reads PostgreSQL as the leader, stores what it read and gives the lock back. `demand` is what `lookup.lua` has told of the log.
    pub async fn lead(
        &self,
        claim: &Claim<'_>,
        leader: Option<Leader<'_, Entry>>,
        demand: Option<u64>,
        fetch: impl AsyncFn(Server) -> Result<Entry, Error>,
    ) -> Result<(Entry, CacheStatus), Error> {
        let fetched = fetch(self.usable.server(demand)).await;
        let script = match &fetched {
            Ok(entry) if entry.body.len() <= MAX_STORED_BYTES => {
                let ttl = ttl_ms(self.instance.config.ttl, entry.found, u32::from_le_bytes(random()?));
                let nonce = self.slot.is_sealed().then(random).transpose()?;
                let bytes = self.slot.wrap(entry, self.usable.stamp(), nonce.as_ref());
                Script::fill(self.slot, &claim.token, bytes, ttl)
            }
            _ => Script::release(self.slot, &claim.token),
        };
        // Being stored proves that the value was current when the script ran, and so for everybody who had asked before it
        // was sent. Who asks from now on looks for himself.
        let followers = leader.map(Leader::close).unwrap_or_default();
        let answer = claim.run(script).await;
        let filled = answer.and_then(|answer| Fill::parse(&answer).ok());
        self.instance.counts.count(Count::Fill(match (&fetched, filled) {
            (Err(_), _) | (_, None) => FillResult::Failed,
            (Ok(entry), _) if entry.body.len() > MAX_STORED_BYTES => FillResult::TooLarge,
            (Ok(_), Some(Fill::Stored)) => FillResult::Stored,
            (Ok(_), Some(Fill::Refused)) => FillResult::Refused,
            (Ok(_), Some(Fill::Full)) => FillResult::Full,
        }));
        let entry = fetched?;
        if filled != Some(Fill::Stored) {
            return Ok((entry, CacheStatus::Miss));
        }
        for follower in followers {
            // One that gave up waiting has dropped the other end.
            let _ = follower.send(entry.clone());
        }
        Ok((entry, CacheStatus::Stored))
    }
}
