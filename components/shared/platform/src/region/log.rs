//! Reads the log from the primary, and has this region's Redis follow it: first how far a standby must be, then the deletions, then
//! until when the cache may be used.

use super::ask::{milliseconds, state};
use super::page::{self, From, Page};
use crate::instance::Instance;
use crate::log::{self, Level};
use crate::metrics;
use crate::postgres::outbox::unfences;
use crate::redis::Connection;
use crate::time::token;
use cache::region::{LogState, WorkedOff};
use cache::{Demand, Done, RedisFailure, Registered, Script, is_told, may_register};
use rental::config::Region;
use rental::error::Error;
use rental::metrics::Count;
use std::rc::Rc;

/// One reading of the log.
pub struct Reading {
    /// The epoch of the cache that it is for.
    pub epoch: u64,
    /// The reader's token.
    pub token: String,
    /// The registration; `None` where nobody knows.
    pub generation: Option<u64>,
    /// What was worked off before.
    pub known: Option<WorkedOff>,
    /// Redis's clock before PostgreSQL is asked, in milliseconds of Unix time: the bound counts from here.
    pub now_ms: u64,
}

impl Reading {
    /// Of who was told this by Redis.
    pub fn new(epoch: u64, token: String, state: &LogState) -> Self {
        Self { epoch, token, generation: state.generation, known: state.worked_off.clone(), now_ms: state.now_ms }
    }
}

/// Reads the log. When that fails, the cache goes out of use with its bound, and another instance tries.
pub async fn read(instance: &Rc<Instance>, connection: &Rc<Connection>, reading: Reading) {
    let Some(region) = &instance.config.region else {
        return;
    };
    match work_off(instance, region, connection, reading).await {
        Ok(rows) => instance.counts.count_many(Count::Drained, u64::try_from(rows).unwrap_or_default()),
        Err(error) => log::write(Level::Warn, "region.log_unread", &[("error", &error.to_string())]),
    }
    metrics::flush_later(instance);
}

/// Works off what the cache has missed, for a probe; how many rows there were. Where nobody knows what was worked off, the region
/// registers anew: another instance may be about to, on a reading that shows less. Another Redis has missed nothing: it begins with a new
/// epoch.
///
/// # Errors
/// When PostgreSQL or Redis fails.
pub async fn drain(instance: &Rc<Instance>, region: &Region, connection: &Rc<Connection>) -> Result<usize, Error> {
    let record = instance.breaker.borrow().record();
    let record = record.ok_or_else(|| Error::Unavailable("the breaker's record is not known".into()))?;
    if !record.trusts(&connection.run_id) {
        return Ok(0);
    }
    let (epoch, token) = (record.epoch, token()?);
    let state = state(instance, region, connection, epoch, &token).await;
    let state = state.ok_or_else(|| Error::Unavailable("Redis does not say how far the log is worked off".into()))?;
    let reading = Reading::new(epoch, token, &state);
    work_off(instance, region, connection, reading).await
}

async fn work_off(
    instance: &Instance,
    region: &Region,
    connection: &Rc<Connection>,
    reading: Reading,
) -> Result<usize, Error> {
    let (registered, is_anew, first) = begin(instance, region, connection, &reading).await?;
    let (lineage, position, snapshot) = (first.lineage.clone(), first.before, first.snapshot.clone());
    let (mut page, mut rows, bound_ms) = (first, 0, milliseconds(region.staleness));
    loop {
        if is_anew || !page.rows.is_empty() {
            let demand = Demand {
                token: &reading.token,
                lsn: page.behind,
                shown: &page.snapshot,
                is_anew: is_anew && rows == 0,
                bound_ms,
            };
            let script = Script::log_demand(&instance.config.namespace, registered, &demand);
            told(connection.run(instance.config.redis_timeout, script).await)?;
            follow(instance, connection, &page).await?;
        }
        rows += page.rows.len();
        if !page.is_full() {
            break;
        }
        let next = page::read(instance, &region.name, registered.generation, From::Behind(&page)).await?;
        page = next.ok_or_else(another_registration)?;
    }
    let began_ms = reading.now_ms;
    let done = Done { token: &reading.token, lineage: &lineage, position, snapshot: &snapshot, began_ms, bound_ms };
    let script = Script::log_done(&instance.config.namespace, registered, &done);
    told(connection.run(instance.config.redis_timeout, script).await)?;
    Ok(rows)
}

/// The first page; of a new registration where the region has none, or knows nothing of what it has worked off. One instance makes it:
/// two would each make void what the other has made, again and again where PostgreSQL is far.
async fn begin(
    instance: &Instance,
    region: &Region,
    connection: &Rc<Connection>,
    reading: &Reading,
) -> Result<(Registered, bool, Page), Error> {
    let epoch = reading.epoch;
    // One that has not read to the end is gone on with.
    if let Some(generation) = reading.generation {
        let from = From::WorkedOff(reading.known.as_ref());
        if let Some(page) = page::read(instance, &region.name, generation, from).await? {
            return Ok((Registered { epoch, generation }, false, page));
        }
        let registered = Registered { epoch, generation };
        let script = Script::log_forget(&instance.config.namespace, registered, &reading.token);
        let answer = connection.run(instance.config.redis_timeout, script).await;
        if !may_register(&answer.map_err(|failure| Error::Unavailable(failure.to_string()))?) {
            return Err(another_registration());
        }
    }
    let generation = page::register(instance, &region.name).await?;
    log::write(Level::Warn, "region.registered", &[("region", &region.name), ("generation", &generation.to_string())]);
    let page = page::read(instance, &region.name, generation, From::WorkedOff(None)).await?;
    Ok((Registered { epoch, generation }, true, page.ok_or_else(another_registration)?))
}

/// Deletes what the page invalidates, and takes the fences of its writes down.
async fn follow(instance: &Instance, connection: &Rc<Connection>, page: &Page) -> Result<(), Error> {
    let scripts: Vec<Script> = page.rows.iter().flat_map(|row| unfences(instance, &row.keys, &row.id)).collect();
    let answer = connection.run_all(instance.config.redis_timeout, scripts).await;
    answer.map(|_| ()).map_err(|failure| Error::Unavailable(failure.to_string()))
}

fn told(answer: Result<Vec<Vec<u8>>, RedisFailure>) -> Result<(), Error> {
    let answer = answer.map_err(|failure| Error::Unavailable(failure.to_string()))?;
    if is_told(&answer) { Ok(()) } else { Err(another_registration()) }
}

fn another_registration() -> Error {
    Error::Unavailable("the region has been registered anew meanwhile".into())
}
