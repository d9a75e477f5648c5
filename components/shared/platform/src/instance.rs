//! What an instance of a component keeps between its requests.

use crate::auth::fetched_keys::FetchedKeys;
use crate::key_value::KeyValue;
use crate::metrics::counts::Counts;
use crate::postgres::database_state::DatabaseState;
use crate::redis::Redis;
use crate::region::RegionState;
use crate::time::random;
use crate::variables;
use async_lock::Semaphore;
use cache::Entry;
use cache::breaker::{Local, RecordClock};
use cache::flight::{Followers, SharedReads};
use cache::read_lease::ReadLeases;
use rental::auth::Memory;
use rental::config::Config;
use rental::error::Error;
use rental::operator::sampling::Sampling;
use rental::rate_limit::Buckets;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// What an instance keeps between its requests, handed to each of them. One thread runs an instance: nothing here is locked,
/// and nothing borrows across an `await`.
pub struct Instance {
    /// The configuration.
    pub config: Config,
    /// What was counted and not told yet.
    pub counts: Rc<Counts>,
    /// The key-value store.
    pub key_value: KeyValue,
    /// The connection to Redis.
    pub redis: Redis,
    /// What it knows of the breaker, and has seen of Redis itself.
    pub breaker: RefCell<Local>,
    /// The clock of the breaker's record, where that is in PostgreSQL.
    pub record_clock: Cell<RecordClock>,
    /// What it knows of PostgreSQL.
    pub database: DatabaseState,
    /// What it knows of its region.
    pub region: RegionState,
    /// Turns for its reads of PostgreSQL.
    pub turns: Semaphore,
    /// Reads without the cache that are under way.
    pub shared_reads: SharedReads<Entry, Error>,
    /// Reads for the cache that are under way, and who waits for them.
    pub followers: Followers<Entry>,
    /// What it may answer again without Redis.
    pub read_leases: RefCell<ReadLeases>,
    /// Outbox rows to be removed: their tenants and ids. While there is one, a task is going to remove it.
    pub settled: RefCell<Vec<(String, String)>>,
    /// Tokens that were verified before.
    pub tokens: RefCell<Memory>,
    /// The keys of a JWKS.
    pub keys: FetchedKeys,
    /// How many requests each tenant may still send.
    pub rate_limits: RefCell<Buckets>,
    /// When Redis was last tried for health, and why it was of no use.
    pub trial: RefCell<Option<(Duration, Option<String>)>>,
    /// Which hits are compared with PostgreSQL; `None` until the first.
    pub sampling: Cell<Option<Sampling>>,
    /// Whether a page that is too large is being discarded: one at a time, so that not every read asks a dead Redis.
    pub is_discarding: Cell<bool>,
}

thread_local! {
    /// The platform calls a function for each request, which finds here what it kept.
    static CURRENT: RefCell<Option<Rc<Instance>>> = const { RefCell::new(None) };
}

/// This instance; the first request reads its configuration.
///
/// # Errors
/// When the configuration is refused, or the platform has no randomness.
pub fn current() -> Result<Rc<Instance>, Error> {
    if let Some(instance) = CURRENT.with_borrow(Clone::clone) {
        return Ok(instance);
    }
    let instance = Rc::new(Instance::new(variables::config()?, Memory::new(&random()?)));
    CURRENT.set(Some(Rc::clone(&instance)));
    Ok(instance)
}

impl Instance {
    fn new(config: Config, tokens: Memory) -> Self {
        let counts = Rc::<Counts>::default();
        Self {
            redis: Redis::new(Rc::clone(&counts)),
            turns: Semaphore::new(config.database_concurrency),
            config,
            counts,
            key_value: KeyValue::default(),
            breaker: RefCell::default(),
            record_clock: Cell::default(),
            database: DatabaseState::default(),
            region: RegionState::default(),
            shared_reads: SharedReads::default(),
            followers: Followers::default(),
            read_leases: RefCell::default(),
            settled: RefCell::default(),
            tokens: RefCell::new(tokens),
            keys: FetchedKeys::default(),
            rate_limits: RefCell::default(),
            trial: RefCell::default(),
            sampling: Cell::new(None),
            is_discarding: Cell::new(false),
        }
    }
}
