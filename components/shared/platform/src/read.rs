//! Reading through the cache: the I/O around the protocol of [`cache`].

use super::breaker::{Usable, admission, attempt, renew, trusted};
use super::check;
use super::clock;
use super::database;
use super::metrics;
use super::redis::kept;
use super::unanswered::{Claim, discard_later};
use rental::config::Config;
use rental::domain::TenantId;
use rental::error::Error;
use crate::log::{self, Level};
use rental::metrics::{Count, Kind};
use cache::breaker::Record;
use cache::flight::share;
use cache::protocol::{Admission, still_counts};
use cache::{
    CacheKey, CacheStatus, Entry, Fill, LOCK_MS, Lookup, MAX_STORED_BYTES, RedisFailure, Rejection, Resource, Script,
    Seal, WAIT_BUDGET, fingerprint, ttl_ms, wait_before_attempt,
};
use futures::channel::oneshot;
use futures::future::join;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// What a read asks for.
pub struct Cached<'a> {
    /// Whose it is.
    pub tenant: &'a TenantId,
    /// What it is.
    pub resource: Resource,
    /// Which page of a list; empty for a single resource.
    pub field: &'a str,
}

thread_local! {
    /// Who waits for whom: for each value that a request of this instance is reading from PostgreSQL, the others that want
    /// the same.
    static FLIGHTS: RefCell<HashMap<String, Vec<oneshot::Sender<Entry>>>> = RefCell::default();
}

/// Answers from the cache, or from `fetch` and fills the cache. Whatever is wrong with Redis, the answer is that of
/// `fetch`.
///
/// # Errors
/// Those of `fetch`.
pub async fn read_through(
    config: &Rc<Config>,
    wanted: Cached<'_>,
    fetch: impl AsyncFn() -> Result<Entry, Error>,
) -> Result<(Entry, CacheStatus), Error> {
    let kind = if wanted.field.is_empty() { Kind::Single } else { Kind::List };
    let answer = find(config, wanted, fetch).await;
    if let Ok((_, status)) = &answer {
        metrics::count(Count::Lookup(kind, *status));
    }
    answer
}

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
    config: &Rc<Config>,
    wanted: Cached<'_>,
    fetch: impl AsyncFn() -> Result<Entry, Error>,
) -> Result<Option<Filled>, Error> {
    let key = CacheKey::new(&config.namespace, wanted.tenant, wanted.resource);
    let name = format!("{}\n{}", key.as_str(), wanted.field);
    let seal = config.seals.as_ref().map(|seals| seals.of(wanted.tenant));
    let seal = seal.as_deref();
    let patience = TimeBudget::new(config);
    let Some((usable, mut found)) = look(config, &patience, &key, wanted.field).await else {
        return Ok(None);
    };
    let population = Population {
        config,
        tenant: wanted.tenant,
        patience: &patience,
        usable: &usable,
        key: &key,
        name: &name,
        field: wanted.field,
        seal,
    };
    let (claim, mut rejected) = (population.claim()?, Vec::new());
    // Twice at most: what is not taken for an entry is gone after the script has been told of it.
    for _ in 0..2 {
        if let Some(bytes) = found {
            match open(bytes, &name, &usable, seal) {
                Ok(_) => return Ok(Some(Filled::Present)),
                Err(print) => rejected = print,
            }
        }
        let script = Script::lookup(&key, wanted.field, &claim.token, LOCK_MS, &rejected);
        let answer = population.run(&claim, script).await;
        found = match answer.and_then(|answer| Lookup::parse(answer).ok()) {
            None => return Ok(None),
            Some(Lookup::Leader) if !population.may_store(&claim).await => return Ok(Some(Filled::Unstored)),
            Some(Lookup::Leader) => {
                let (_, status) = population.lead(&claim, None, fetch).await?;
                return Ok(Some(if status == CacheStatus::Stored { Filled::Stored } else { Filled::Unstored }));
            }
            Some(Lookup::Wait) => return Ok(Some(Filled::Present)),
            Some(Lookup::Fenced) => return Ok(Some(Filled::Unstored)),
            Some(Lookup::Value(bytes)) => Some(bytes),
        };
    }
    Ok(Some(Filled::Unstored))
}

async fn find(
    config: &Rc<Config>,
    wanted: Cached<'_>,
    fetch: impl AsyncFn() -> Result<Entry, Error>,
) -> Result<(Entry, CacheStatus), Error> {
    let key = CacheKey::new(&config.namespace, wanted.tenant, wanted.resource);
    let name = format!("{}\n{}", key.as_str(), wanted.field);
    let seal = config.seals.as_ref().map(|seals| seals.of(wanted.tenant));
    let seal = seal.as_deref();
    let patience = TimeBudget::new(config);
    let Some((usable, first)) = look(config, &patience, &key, wanted.field).await else {
        return Ok((share(&name, fetch).await?, CacheStatus::Bypass));
    };
    let mut rejected = Vec::new();
    if let Some(bytes) = first {
        match open(bytes, &name, &usable, seal) {
            Ok(entry) => {
                check::sample(config, &wanted, &entry);
                return Ok((entry, CacheStatus::Hit));
            }
            Err(bytes) => rejected = bytes,
        }
    }
    let population = Population {
        config,
        tenant: wanted.tenant,
        patience: &patience,
        usable: &usable,
        key: &key,
        name: &name,
        field: wanted.field,
        seal,
    };
    if let Some(entry) = population.join_flight().await {
        return Ok((entry, CacheStatus::Collapsed));
    }
    population.populate(rejected, Flight::start(&name), fetch).await
}

/// The first look: one command. With a lapsed lease the breaker's record is read at the same time, and what Redis says
/// counts only if the record still admits it.
async fn look(
    config: &Rc<Config>,
    patience: &TimeBudget,
    key: &CacheKey,
    field: &str,
) -> Option<(Usable, Option<Vec<u8>>)> {
    match admission(config) {
        Admission::Barred => None,
        Admission::Admitted(record) => get(config, patience, record, key, field).await,
        Admission::Unknown => {
            let record = renew(config).await.filter(|record| record.admits())?;
            get(config, patience, record, key, field).await
        }
        Admission::Lapsed(record) => {
            let getting = get(config, patience, Rc::clone(&record), key, field);
            let (renewed, found) = join(renew(config), getting).await;
            let renewed = renewed?;
            found.filter(|(usable, _)| still_counts(&usable.record, &renewed))
        }
    }
}

async fn get(
    config: &Rc<Config>,
    patience: &TimeBudget,
    record: Rc<Record>,
    key: &CacheKey,
    field: &str,
) -> Option<(Usable, Option<Vec<u8>>)> {
    let usable = patience.spend(|_| trusted(config, record)).await?;
    let command = async {
        match patience.spend(|left| usable.kept.get(left, key, field)).await {
            // What is nobody's entry the lookup script throws away; what Redis refuses us it refuses that script too.
            Err(failure @ RedisFailure::Refused(_)) => {
                if let Some(rejection) = failure.rejection() {
                    reject(rejection);
                }
                Ok(None)
            }
            answer => {
                if key.is_list() && answer.is_err() {
                    discard_later(config, key, field);
                }
                answer
            }
        }
    };
    let found = attempt(config, command).await?;
    Some((usable, found))
}

/// Opens an entry, or answers the fingerprint of one that is not taken.
fn open(bytes: Vec<u8>, name: &str, usable: &Usable, seal: Option<&Seal>) -> Result<Entry, Vec<u8>> {
    let print = fingerprint(&bytes).to_vec();
    Entry::open(bytes, name, usable.record.epoch, seal).map_err(|rejection| {
        reject(rejection);
        print
    })
}

fn reject(rejection: Rejection) {
    metrics::count(Count::Rejected(rejection));
    log::write(Level::Warn, "cache.rejected", &[("reason", rejection.name())]);
}

/// How long a request still waits for Redis: one deadline in all, that of a connection if it has to open one. A Redis that
/// is slow every time is so no worse than one that is dead.
struct TimeBudget {
    deadline: Duration,
    left: Cell<Duration>,
}

impl TimeBudget {
    fn new(config: &Config) -> Self {
        let whole = if kept().is_some() { config.redis_timeout } else { config.redis_connect_timeout };
        Self { deadline: config.redis_timeout, left: Cell::new(whole) }
    }

    /// What `work` answers, given how long it may take; what it took is gone.
    async fn spend<T, F: Future<Output = T>>(&self, work: impl FnOnce(Duration) -> F) -> T {
        let began = clock::elapsed();
        let answer = work(self.left.get().min(self.deadline)).await;
        self.left.set(self.left.get().saturating_sub(clock::elapsed().saturating_sub(began)));
        answer
    }

    /// Whether there is enough left for one look more that a well Redis cannot miss.
    fn is_long(&self) -> bool {
        self.left.get() >= self.deadline / 2
    }
}

struct Population<'a> {
    config: &'a Rc<Config>,
    tenant: &'a TenantId,
    patience: &'a TimeBudget,
    usable: &'a Usable,
    key: &'a CacheKey,
    name: &'a str,
    field: &'a str,
    seal: Option<&'a Seal>,
}

impl Population<'_> {
    fn claim(&self) -> Result<Claim<'_>, Error> {
        Claim::new(self.config, &self.usable.kept, self.key, self.field)
    }

    async fn run(&self, claim: &Claim<'_>, script: Script) -> Option<Vec<Vec<u8>>> {
        let running = self.patience.spend(|left| self.usable.kept.run(left, script));
        attempt(self.config, claim.learn(running)).await
    }

    /// Waits for another request of this instance that is reading the same. `None` when there is none, or when it had
    /// nothing to share.
    async fn join_flight(&self) -> Option<Entry> {
        let landing = FLIGHTS.with_borrow_mut(|flights| {
            flights.get_mut(self.name).map(|waiting| {
                let (sender, receiver) = oneshot::channel();
                waiting.push(sender);
                receiver
            })
        })?;
        clock::within(WAIT_BUDGET, landing).await?.ok()
    }

    /// The way from a miss to an answer.
    async fn populate(
        &self,
        mut rejected: Vec<u8>,
        flight: Option<Flight>,
        fetch: impl AsyncFn() -> Result<Entry, Error>,
    ) -> Result<(Entry, CacheStatus), Error> {
        let claim = self.claim()?;
        let mut waited = Duration::ZERO;
        let mut looks = 0;
        loop {
            let script = Script::lookup(self.key, self.field, &claim.token, LOCK_MS, &rejected);
            let answer = self.run(&claim, script).await;
            let Some(lookup) = answer.and_then(|answer| Lookup::parse(answer).ok()) else {
                drop(claim);
                return Ok((share(self.name, fetch).await?, CacheStatus::Bypass));
            };
            match lookup {
                Lookup::Leader if self.may_store(&claim).await => return self.lead(&claim, flight, fetch).await,
                Lookup::Leader => {
                    drop(flight);
                    return Ok((share(self.name, fetch).await?, CacheStatus::Miss));
                }
                Lookup::Fenced => return Ok((share(self.name, fetch).await?, CacheStatus::Miss)),
                Lookup::Value(bytes) => match open(bytes, self.name, self.usable, self.seal) {
                    Ok(entry) if looks == 0 => return Ok((entry, CacheStatus::Hit)),
                    Ok(entry) => return Ok((entry, CacheStatus::Collapsed)),
                    Err(bytes) => rejected = bytes,
                },
                Lookup::Wait => {}
            }
            let Some(pause) = wait_before_attempt(looks, waited).filter(|_| self.patience.is_long()) else {
                return Ok((share(self.name, fetch).await?, CacheStatus::Miss));
            };
            metrics::count(Count::LockWait);
            clock::sleep(pause).await;
            waited += pause;
            looks += 1;
        }
    }

    /// Whether a leader may store what it is going to read. If not, it gives its lock back.
    async fn may_store(&self, claim: &Claim<'_>) -> bool {
        let may = database::vouches_for(self.config, self.tenant).await;
        if !may {
            metrics::count(Count::Fill("in_doubt"));
            self.run(claim, Script::release(self.key, self.field, &claim.token)).await;
        }
        may
    }

    /// Reads PostgreSQL as the leader, stores what it read and gives the lock back.
    async fn lead(
        &self,
        claim: &Claim<'_>,
        flight: Option<Flight>,
        fetch: impl AsyncFn() -> Result<Entry, Error>,
    ) -> Result<(Entry, CacheStatus), Error> {
        let fetched = fetch().await;
        let script = match &fetched {
            Ok(entry) if entry.body.len() <= MAX_STORED_BYTES => {
                let random = u32::from_le_bytes(clock::random()?);
                let ttl = ttl_ms(self.config.ttl, entry.found, random);
                let nonce = self.seal.map(|_| clock::random()).transpose()?;
                let bytes = entry.wrap(self.name, self.usable.record.epoch, self.seal.zip(nonce.as_ref()));
                Script::fill(self.key, self.field, &claim.token, bytes, ttl)
            }
            _ => Script::release(self.key, self.field, &claim.token),
        };
        // Being stored proves that the value was current when the script ran, and so for everybody who had asked before it
        // was sent. Who asks from now on looks for himself.
        let waiting = flight.map(Flight::close).unwrap_or_default();
        let answer = self.run(claim, script).await;
        let filled = answer.and_then(|answer| Fill::parse(&answer).ok());
        metrics::count(Count::Fill(match (&fetched, filled) {
            (Err(_), _) | (_, None) => "failed",
            (Ok(entry), _) if entry.body.len() > MAX_STORED_BYTES => "too_large",
            (Ok(_), Some(Fill::Stored)) => "stored",
            (Ok(_), Some(Fill::Refused)) => "refused",
            (Ok(_), Some(Fill::Full)) => "full",
        }));
        let entry = fetched?;
        if filled != Some(Fill::Stored) {
            return Ok((entry, CacheStatus::Miss));
        }
        for sender in waiting {
            // Whoever gave up waiting has dropped the other end.
            let _ = sender.send(entry.clone());
        }
        Ok((entry, CacheStatus::Stored))
    }
}

/// A request's claim to be the one of its instance that reads a value. Dropped, it lets the others go their own way.
struct Flight {
    name: String,
}

impl Flight {
    /// `None` when another request flies already: one that gave up waiting goes on alone.
    fn start(name: &str) -> Option<Self> {
        FLIGHTS.with_borrow_mut(|flights| {
            if flights.contains_key(name) {
                return None;
            }
            flights.insert(name.to_owned(), Vec::new());
            Some(Self { name: name.to_owned() })
        })
    }

    /// Takes nobody else along; those who wait so far.
    fn close(self) -> Vec<oneshot::Sender<Entry>> {
        FLIGHTS.with_borrow_mut(|flights| flights.remove(&self.name)).unwrap_or_default()
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        FLIGHTS.with_borrow_mut(|flights| flights.remove(&self.name));
    }
}
