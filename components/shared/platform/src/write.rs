//! Writing: fence, one statement, unfence. The I/O around the protocol of [`cache`].

use super::breaker::{admission, attempt, connect, hold_for_write, renew, report, take_out_of_use, trusted};
use super::outbox::{self, KEYS_PER_SCRIPT};
use super::postgres::{Failure, run};
use super::redis::Connection;
use super::{clock, database, metrics, record};
use rental::config::{Config, FENCE_MS, STATEMENT_TIMEOUT_MS};
use rental::domain::TenantId;
use rental::error::Error;
use rental::metrics::Count;
use rental::sql::Column;
use rental::sql::Statement;
use cache::breaker::{Event, Record};
use cache::database::START_WITHIN;
use cache::isolated_store;
use cache::protocol::{
    Admission, AfterStatement, BeforeStatement, after_fenced, after_unfenced, before_statement, over_at,
};
use cache::{CacheKey, Script};
use rental::resource::Resource;
use futures::future::join;
use std::rc::Rc;
use std::time::Duration;

/// A report that took so long came to a key-value store that was blocked (SQLite waits 5 s), and began to count before: it is
/// made anew. Less is in the time that a statement has to end, which counts no more once it has started.
const SLOW_REPORT: Duration = Duration::from_millis(STATEMENT_TIMEOUT_MS / 2);

/// What a statement did.
pub struct Written<T> {
    /// What the caller makes of its rows.
    pub result: T,
    /// Whether anything changed, and so whether there is a row in the outbox.
    pub changed: bool,
    /// What it changed besides the resources that were named beforehand.
    pub also: Vec<Resource>,
}

/// Runs one statement that changes `resources` of `tenant`, so that no read that starts after the answer sees what was
/// before. `statement` is given the id of the write, under which its outbox row must be inserted; `read` makes something
/// of its rows.
///
/// # Errors
/// Those of the statement. Redis never makes a write fail.
pub async fn write<T>(
    config: &Rc<Config>,
    tenant: &TenantId,
    resources: &[Resource],
    statement: impl FnOnce(&str) -> Statement,
    read: impl FnOnce(Vec<Vec<Column>>) -> Result<Written<T>, Error>,
) -> Result<T, Error> {
    let key = |resource: &Resource| CacheKey::new(&config.namespace, tenant, *resource);
    let mut keys: Vec<CacheKey> = resources.iter().map(key).collect();
    let write_id =
        clock::new_id(|ms, random| uuid::Builder::from_unix_timestamp_millis(ms, random).into_uuid())?.to_string();

    // Its clock decides when it is too late for the statement.
    let database = database::lease(config).await?;
    let Fenced { by: fenced_by, statement_starts_by } = fence(config, &keys, &write_id).await;
    let statement = statement(&write_id).started_by(database.by_its_clock(statement_starts_by));
    let mut rows = match run(config, statement).await {
        Ok(rows) => rows,
        Err(Failure { error, may_have_run: true, .. }) => {
            leave(config, fenced_by).await;
            return Err(error);
        }
        Err(Failure { error, may_have_run: false, .. }) => {
            if let Some(kept) = fenced_by {
                attempt(config, outbox::invalidate(config, &kept, &keys, &write_id)).await;
            }
            return Err(error);
        }
    };
    // Before the new row can be stored: the record knows the run of PostgreSQL that made it.
    database::notice_run(config, &mut rows).await;
    let written = read(rows)?;
    keys.extend(written.also.iter().map(key));
    let invalidated_by = unfence(config, fenced_by, &keys, &write_id, written.changed).await;
    if invalidated_by.is_none() && written.changed && !config.key_value_shared {
        clock::sleep(unshared::settling_time(config.breaker_lease)).await;
    }
    if let (Some(kept), true) = (invalidated_by, written.changed) {
        outbox::settle_later(config, kept, tenant, write_id);
    }
    Ok(written.result)
}

/// How a write is kept from being missed.
struct Fenced {
    /// Where its fence is. `None` when the write goes on without: then the breaker stays open until its statement has started,
    /// and the probe that closes it waits for its end.
    by: Option<Rc<Connection>>,
    /// Until when its statement may start, on the instance's monotonic clock.
    statement_starts_by: Duration,
}

/// Puts up the fence.
async fn fence(config: &Rc<Config>, keys: &[CacheKey], write_id: &str) -> Fenced {
    let record = match admission(config) {
        Admission::Admitted(record) => Some(record),
        Admission::Lapsed(_) | Admission::Unknown | Admission::Barred => renew(config).await,
    };
    let (longest, decided_at) = (config.longest_statement(), clock::elapsed());
    let kept = match (before_statement(record.as_deref(), clock::unix_ms(), config.breaker_lease, longest), record) {
        (BeforeStatement::GoOn(pause), _) => {
            metrics::count(Count::Fence("skipped"));
            wait(pause).await;
            return Fenced { by: None, statement_starts_by: decided_at + pause + config.database_timeout };
        }
        (BeforeStatement::Fence, Some(record)) => trusted(config, record).await.map(|usable| usable.kept),
        (BeforeStatement::FenceAnyway(pause), record) => {
            wait(pause).await;
            let kept = connect(config).await;
            if let (Some(kept), Some(_)) = (&kept, record) {
                report(config, Event::AnotherRedis { run_id: &kept.run_id });
            }
            kept
        }
        (BeforeStatement::Fence, None) => None,
    };
    let fenced_at = clock::elapsed();
    let by = match kept {
        Some(kept) => put_up(config, kept, keys, write_id).await,
        None => None,
    };
    metrics::count(Count::Fence(if by.is_some() { "raised" } else { "failed" }));
    let statement_starts_by = match by {
        // Not after its writer has stopped waiting for it; and the fence counts from when it was sent, also where the instance
        // stood still before it learnt of it (a key-value store that blocks it).
        Some(_) => (clock::elapsed_after_blocking() + config.database_timeout).min(fenced_at + START_WITHIN),
        None => hold_open(config).await,
    };
    Fenced { by, statement_starts_by }
}

/// Keeps the breaker open for a write without a fence; until when its statement may start.
async fn hold_open(config: &Config) -> Duration {
    let until = || over_at(clock::unix_ms(), config.breaker_lease + config.longest_statement());
    let began = clock::elapsed_after_blocking();
    let mut pause = hold_for_write(config, until());
    if clock::elapsed_after_blocking().saturating_sub(began) >= SLOW_REPORT {
        pause = hold_for_write(config, until());
    }
    let reported_at = clock::elapsed_after_blocking();
    wait(pause).await;
    reported_at + pause + config.database_timeout
}

async fn wait(pause: Duration) {
    if !pause.is_zero() {
        clock::sleep(pause).await;
    }
}

async fn put_up(config: &Config, kept: Rc<Connection>, keys: &[CacheKey], write_id: &str) -> Option<Rc<Connection>> {
    if cfg!(feature = "without-fence") {
        return Some(kept);
    }
    let fences = keys.chunks(KEYS_PER_SCRIPT).map(|batch| Script::fence(batch, write_id, FENCE_MS));
    attempt(config, kept.run_all(config.redis_timeout, fences)).await?;
    Some(kept)
}

/// Leaves a write alone whose statement has not ended for us and may not have for PostgreSQL. Its fence stands, and when that
/// has run out the tenant is in doubt ([`cache::database`]); without a fence the probe waits for it. Where neither is so,
/// because another Redis has come into use or a probe has begun meanwhile, the cache is taken out of use for that wait.
async fn leave(config: &Rc<Config>, fenced_by: Option<Rc<Connection>>) {
    let record = record::read(config).await.ok().flatten().map(|lease| lease.shared_record());
    let (record, now, lease) = (record.as_deref(), clock::unix_ms(), config.breaker_lease);
    let next = match fenced_by {
        Some(kept) => after_fenced(record, &kept.run_id, now, lease),
        None => after_unfenced(record, now, lease),
    };
    if let AfterStatement::Invalidate | AfterStatement::Quarantine = next {
        quarantine(config).await;
    }
}

/// Takes the cache out of use for all instances and waits until none of them may still act on an older lease.
async fn quarantine(config: &Config) {
    wait(take_out_of_use(config, Event::MissedInvalidation)).await;
}

/// Invalidates after the statement. `None` when that is left to the outbox.
async fn unfence(
    config: &Rc<Config>,
    fenced_by: Option<Rc<Connection>>,
    keys: &[CacheKey],
    write_id: &str,
    changed: bool,
) -> Option<Rc<Connection>> {
    let reading = async { record::read(config).await.ok().flatten().map(|lease| lease.shared_record()) };
    let (kept, next) = match fenced_by {
        Some(kept) => {
            let invalidating = attempt(config, outbox::invalidate(config, &kept, keys, write_id));
            let (invalidated, record) = join(invalidating, reading).await;
            let next = match invalidated {
                Some(()) => after_fenced(record.as_deref(), &kept.run_id, clock::unix_ms(), config.breaker_lease),
                None => AfterStatement::Quarantine,
            };
            (Some(kept), next)
        }
        None if !changed => return None,
        None => {
            let record = reading.await;
            let next = after_unfenced(record.as_deref(), clock::unix_ms(), config.breaker_lease);
            let kept = match (next, record) {
                (AfterStatement::Invalidate, Some(record)) => trusted_or_any(config, record).await,
                _ => None,
            };
            (kept, next)
        }
    };
    let done = match (next, &kept) {
        (AfterStatement::Done, _) => true,
        (AfterStatement::Wait(pause), _) => {
            wait(pause).await;
            return None;
        }
        (AfterStatement::Invalidate, Some(kept)) => {
            attempt(config, outbox::invalidate(config, kept, keys, write_id)).await.is_some()
        }
        (AfterStatement::Invalidate | AfterStatement::Quarantine, _) => false,
    };
    if !done {
        quarantine(config).await;
        return None;
    }
    kept
}

/// While a probe runs no Redis is trusted yet, and the one that answers is the one that will be.
async fn trusted_or_any(config: &Rc<Config>, record: Rc<Record>) -> Option<Rc<Connection>> {
    if record.admits() {
        return Some(trusted(config, record).await?.kept);
    }
    connect(config).await
}
