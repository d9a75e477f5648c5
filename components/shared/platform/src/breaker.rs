//! Whether this instance may use the cache right now: its lease on the breaker's record, its own count of failures, and
//! the probe that lets the cache back in.

use super::key_value::Unreadable;
use super::redis::{Connection, connection, forget, kept};
use super::{clock, database, metrics, outbox, record, webhook};
use rental::config::Config;
use rental::error::Error;
use crate::log::{self, Level};
use rental::metrics::Count;
use cache::breaker::{Cooldown, Event, Failures, Lease, LeaseState, Mode, Record};
use cache::database::lineage::{self, Seen, Verdict};
use cache::isolated_store;
use cache::protocol::{self, Admission, unfenced_writes_are_over_at};
use cache::{RedisFailure, Unfit};
use futures::channel::oneshot;
use futures::future::join;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// The breaker's state is another one; the mode may be, too.
const CHANGED: &str = "breaker.changed";
/// An operator has ordered another mode.
const ORDERED: &str = "breaker.ordered";

#[derive(Default)]
struct Local {
    lease: Option<Lease>,
    is_renewing: bool,
    failures: Failures,
    /// This instance's token as a voter, made at its first vote.
    voter: Option<String>,
    /// Set by a vote, lifted when Redis answers.
    bar: Option<Cooldown>,
    /// See [`last_problem`].
    problem: Option<String>,
    /// Why the Redis that last answered cannot be used.
    unfit: Option<Unfit>,
}

thread_local! {
    static LOCAL: RefCell<Local> = RefCell::default();
}

/// What the lease and this instance's own bar allow. Renews the lease in the background before it lapses, so that requests
/// hardly ever wait for that.
pub fn admission(config: &Rc<Config>) -> Admission {
    let now = clock::elapsed();
    let (admission, renew_soon) = LOCAL.with_borrow(|local| {
        let Some(lease) = &local.lease else {
            return (Admission::Unknown, false);
        };
        let worth = lease.state(now, config.breaker_lease);
        if local.bar.is_some_and(|bar| bar.holds(&lease.shared_record(), now)) {
            return (Admission::Barred, worth != LeaseState::Valid);
        }
        (protocol::admission(Some(lease), now, config.breaker_lease), worth == LeaseState::RenewSoon)
    });
    if renew_soon {
        renew_in_background(config);
    }
    standing
}

fn renew_in_background(config: &Rc<Config>) {
    let is_renewing = LOCAL.with_borrow_mut(|local| std::mem::replace(&mut local.is_renewing, true));
    if is_renewing {
        return;
    }
    let config = Rc::clone(config);
    spin_sdk::wasip3::spawn(async move {
        renew(&config).await;
        LOCAL.with_borrow_mut(|local| local.is_renewing = false);
    });
}

/// Reads the record. `None`, and so no cache, when the store cannot be read. A probe that is due is started; on the very
/// first start it is waited for, so that the first requests already find the cache in use.
pub async fn renew(config: &Rc<Config>) -> Option<Rc<Record>> {
    let lease = match look(config).await {
        Ok(Some(lease)) => lease,
        Ok(None) => {
            probe_and_wait(config).await;
            return LOCAL.with_borrow(|local| local.lease.as_ref().map(Lease::shared_record));
        }
        Err(error) => {
            log::write(Level::Error, "breaker.unreadable", &[("error", &error.0)]);
            LOCAL.with_borrow_mut(|local| local.lease = None);
            return None;
        }
    };
    let record = lease.shared_record();
    keep(lease);
    let now = clock::unix_ms();
    if record.probe_is_due(now) {
        drop(probe_in_background(config));
    }
    database::ask_if_due(config, record.database.as_ref().is_some_and(|known| known.is_overdue(now)));
    Some(record)
}

/// Reads the record. Where others do not share it, a row that they left in the outbox quarantines the cache here too.
async fn look(config: &Config) -> Result<Option<Lease>, Unreadable> {
    if config.key_value_shared {
        return record::read(config).await;
    }
    let (lease, left) = join(record::read(config), outbox::holds_older_than(config, unshared::GRACE)).await;
    let (lease, left) = (lease?, left.map_err(|error| Unreadable(format!("the outbox: {error}")))?);
    if !left || !lease.as_ref().is_some_and(|lease| lease.shared_record().admits()) {
        return Ok(lease);
    }
    let (lease, before) = record::swap(config, Event::MissedInvalidation)?;
    if let Some(before) = &before {
        announce(config, before, &lease.shared_record());
    }
    Ok(Some(lease))
}

/// Starts a probe. What is answered resolves when it is over.
fn probe_in_background(config: &Rc<Config>) -> oneshot::Receiver<()> {
    let (done, over) = oneshot::channel();
    let config = Rc::clone(config);
    spin_sdk::wasip3::spawn(async move {
        probe(&config).await;
        // Mostly nobody waits for it.
        let _ = done.send(());
    });
    over
}

/// Probes, and waits for it as long as a request may wait for a connection. The probe goes on behind it.
async fn probe_and_wait(config: &Rc<Config>) {
    let _ = clock::within(config.redis_connect_timeout, probe_in_background(config)).await;
}

fn keep(lease: Lease) {
    LOCAL.with_borrow_mut(|local| {
        local.lease = Some(lease);
        local.is_renewing = false;
    });
}

/// Keeps the record that a swap has read. Where others do not share it that says nothing of them, and the lease on what was
/// known of them goes on.
fn keep_swapped(config: &Config, lease: Lease) {
    let earlier = LOCAL.with_borrow(|local| local.lease.clone()).filter(|_| !config.key_value_shared);
    keep(match earlier {
        Some(earlier) => lease.as_long_as(&earlier),
        None => lease,
    });
}

/// Applies an event to the shared record and keeps what it is afterwards. `false` when this call changed nothing, also
/// because the store cannot be reached.
pub fn report(config: &Config, event: Event<'_>) -> bool {
    apply(config, event).is_some_and(|(_, before)| before.is_some())
}

/// [`report`]; the record as it is afterwards, and as it was before if this call changed it. `None` when the store cannot be
/// reached.
fn apply(config: &Config, event: Event<'_>) -> Option<(Rc<Record>, Option<Record>)> {
    match record::swap(config, event) {
        Ok((lease, before)) => {
            let record = lease.shared_record();
            keep_swapped(config, lease);
            if let Some(before) = &before {
                announce(config, before, &record);
            }
            Some((record, before))
        }
        Err(error) => {
            log::write(Level::Error, "breaker.unwritable", &[("error", &error.0)]);
            None
        }
    }
}

/// Holds the breaker open until a write without a fence is over; how long it has to wait before its statement.
pub fn hold_for_write(config: &Config, until_ms: u64) -> Duration {
    let unfit = LOCAL.with_borrow(|local| local.unfit);
    take_out_of_use(config, Event::UnfencedWrite { until_ms, unfit })
}

/// Applies an event that takes the cache out of use for all instances; how long until none of them acts on an older lease.
pub fn take_out_of_use(config: &Config, event: Event<'_>) -> Duration {
    let lease = config.breaker_lease;
    apply(config, event)
        .map_or(lease, |(record, _)| protocol::until_nobody_uses_the_cache(&record, clock::unix_ms(), lease))
}

/// Has the record know what PostgreSQL says of itself. If it may lack what it had before, the epoch moves.
pub fn database_seen(config: &Config, seen: &Seen) {
    let record = LOCAL.with_borrow(|local| local.lease.as_ref().map(Lease::shared_record));
    let known = record.as_ref().and_then(|record| record.database.as_ref());
    // Mostly it is nothing new, and the store need not be asked.
    if lineage::compare(known, seen, clock::unix_ms()) != Verdict::Nothing {
        report(config, Event::DatabaseSeen { seen });
    }
}

/// Says what has changed: in the log, in the counts, to the webhook.
fn announce(config: &Config, before: &Record, record: &Record) {
    let epoch = record.epoch.to_string();
    let fields = [("state", record.state_name()), ("reason", &record.reason), ("epoch", &epoch)];
    if before.state_name() != record.state_name() {
        metrics::count(Count::Transition(record.state_name()));
        webhook::tell(config, CHANGED, record);
    } else if before.mode != record.mode {
        // The next change may depend on it, so it is told also where it changes nothing yet.
        webhook::tell(config, ORDERED, record);
    }
    if before.mode != record.mode {
        log::write(Level::Warn, ORDERED, &[("mode", record.mode.name()), ("state", record.state_name())]);
    }
    if before.state != record.state {
        log::write(Level::Warn, CHANGED, &fields);
    } else if before.epoch != record.epoch {
        log::write(Level::Warn, "cache.epoch_moved", &fields);
    } else if before.suspicion != record.suspicion {
        let event = if record.suspicion.is_some() { "breaker.suspected" } else { "breaker.cleared" };
        log::write(Level::Warn, event, &fields);
    }
}

/// Applies an operator's order; the record as it is afterwards.
///
/// # Errors
/// [`Error::Unavailable`] when the key-value store cannot be used.
pub fn order_breaker(config: &Config, mode: Mode) -> Result<Rc<Record>, Error> {
    let over_ms = unfenced_writes_are_over_at(clock::unix_ms(), config.breaker_lease, config.longest_statement());
    let (lease, before) = record::swap(config, Event::Ordered { mode, over_ms })
        .map_err(|error| Error::Unavailable(format!("the breaker's record: {}", error.0)))?;
    let record = lease.shared_record();
    keep_swapped(config, lease);
    if let Some(before) = &before {
        announce(config, before, &record);
    }
    Ok(record)
}

/// The record as it is now, for an operator. `None` when it cannot be read.
pub async fn breaker_record(config: &Rc<Config>) -> Option<Rc<Record>> {
    renew(config).await
}

/// A cache that may be used, as it was when the request looked.
pub struct Usable {
    /// The record that admits it.
    pub record: Rc<Record>,
    /// A connection to the Redis that the record trusts.
    pub kept: Rc<Connection>,
}

/// Connects to the Redis that `record` trusts. When another one is at the other end it is reported, and probed at once;
/// if no lease from before has to be waited for, this very request can use the cache in its new epoch.
pub async fn trusted(config: &Rc<Config>, record: Rc<Record>) -> Option<Usable> {
    let mut kept = connect(config).await?;
    if !record.trusts(&kept.run_id) {
        // The kept connection may be the outdated one: a failover leaves the old server's connections open.
        forget(&kept);
        kept = connect(config).await?;
    }
    if record.trusts(&kept.run_id) {
        return Some(Usable { record, kept });
    }
    report(config, Event::AnotherRedis { run_id: &kept.run_id });
    probe_and_wait(config).await;
    let record = LOCAL.with_borrow(|local| local.lease.as_ref().map(Lease::shared_record))?;
    (record.admits() && record.trusts(&kept.run_id)).then_some(Usable { record, kept })
}

/// The kept connection, or a new one, whose opening is counted like a command.
pub async fn connect(config: &Config) -> Option<Rc<Connection>> {
    match kept() {
        Some(kept) => Some(kept),
        None => attempt(config, connection(config)).await,
    }
}

/// Runs a command and counts its result. Only a Redis that does not answer is a failure; one that answers with an error
/// is well.
pub async fn attempt<T>(config: &Config, command: impl Future<Output = Result<T, RedisFailure>>) -> Option<T> {
    let sent_at = clock::elapsed();
    match command.await {
        Ok(value) => {
            answered(config, sent_at);
            Some(value)
        }
        Err(failure) => {
            LOCAL.with_borrow_mut(|local| {
                local.problem = Some(failure.told());
                local.unfit = failure.unfit();
            });
            if let RedisFailure::Refused(error) = &failure {
                log::write(Level::Warn, "redis.refused", &[("error", error)]);
            } else {
                log::write(Level::Warn, "redis.unavailable", &[("error", &failure.to_string())]);
                failed(config, sent_at);
            }
            None
        }
    }
}

/// Redis has answered a command that was sent at `sent_at`: whatever this instance held against it is over, and what others
/// hold against it is their own trouble.
fn answered(config: &Config, sent_at: Duration) {
    let objects = LOCAL.with_borrow_mut(|local| {
        local.failures.forget();
        local.bar = None;
        local.problem = None;
        local.unfit = None;
        let lease = local.lease.as_ref().filter(|lease| lease.was_read_before(sent_at));
        lease.is_some_and(|lease| lease.shared_record().suspicion.is_some())
    });
    if objects {
        report(config, Event::Answering);
    }
}

/// Counts a failure of a command that was sent at `sent_at`. When there are enough of them this instance votes, and leaves
/// Redis alone for one reset even if nobody else confirms it.
fn failed(config: &Config, sent_at: Duration) {
    let now = clock::elapsed();
    let (failures, voter, record) = LOCAL.with_borrow_mut(|local| {
        if local.voter.is_none() {
            local.voter = clock::token().ok();
        }
        let record = local.lease.as_ref().map(Lease::shared_record);
        (local.failures.count(sent_at, now), local.voter.clone().unwrap_or_default(), record)
    });
    let (reset, threshold) = (config.breaker_reset, config.breaker_threshold);
    let enough =
        record.as_ref().map_or(threshold, |record| record.failures_to_vote(&voter, threshold, clock::unix_ms(), reset));
    if failures < enough {
        return;
    }
    if let Some(record) = record.filter(|record| !record.heeds_failures()) {
        if record.mode == Mode::Observe && failures == enough {
            log::write(Level::Warn, "breaker.would_open", &[("failures", &failures.to_string())]);
        }
        return;
    }
    report(config, Event::Failing { voter: &voter, lease: config.breaker_lease });
    LOCAL.with_borrow_mut(|local| {
        let record = local.lease.as_ref().map(Lease::shared_record).filter(|record| record.admits());
        local.bar = record.map(|record| Cooldown::new(&record, clock::elapsed(), reset));
    });
}

/// Offers to probe, and if nobody else does: finds out which Redis is there, makes up for every missed invalidation, and
/// lets the cache back in.
async fn probe(config: &Rc<Config>) {
    let Ok(token) = clock::token() else {
        return;
    };
    if !report(config, Event::ProbeOffered { token: &token }) {
        return;
    }
    let outcome = async {
        // A connection from before says nothing of Redis as it is now.
        if let Some(kept) = kept() {
            forget(&kept);
        }
        let failed = |error: &dyn std::fmt::Display| (error.to_string(), config.breaker_max_reset, None);
        let unusable = |failure: RedisFailure| (failure.to_string(), config.breaker_max_reset, failure.unfit());
        let kept = connection(config).await.map_err(unusable)?;
        if report(config, Event::AnotherRedis { run_id: &kept.run_id }) {
            // The one from before may be alive, and read under leases from before. A write that this one lets in will not
            // wait for them.
            clock::sleep(leases_left(config)).await;
        }
        // A write that had no fence, or not in this Redis, may be in progress for longer than any limit: its row is not in the
        // outbox before it ends. That is no failure of Redis's, and does not make the next probe come later.
        database::await_writes(config).await.map_err(|error| (error.to_string(), config.breaker_reset, None))?;
        outbox::drain(config, &kept).await.map_err(|error| failed(&error))?;
        Ok::<_, (String, Duration, Option<Unfit>)>(kept)
    };
    match outcome.await {
        Ok(kept) => {
            report(config, Event::ProbeSucceeded { token: &token, run_id: &kept.run_id });
        }
        Err((error, longest, unfit)) => {
            log::write(Level::Warn, "breaker.probe_failed", &[("error", &error)]);
            report(config, Event::ProbeFailed { token: &token, longest, unfit });
        }
    }
    metrics::flush_later(config);
}

/// How long leases from before the breaker was opened may last, as far as this instance knows its record.
fn leases_left(config: &Config) -> Duration {
    LOCAL.with_borrow(|local| {
        let record = local.lease.as_ref().map(Lease::shared_record);
        record.map_or(config.breaker_lease, |record| {
            protocol::until_leases_are_over(&record, clock::unix_ms(), config.breaker_lease)
        })
    })
}

/// Why the last command had no result, for an administrator; `None` when it had one.
pub fn last_problem() -> Option<String> {
    LOCAL.with_borrow(|local| local.problem.clone())
}

/// The cache, for an operator: by the record as it is now, whatever the lease says.
///
/// # Errors
/// [`Error::CacheOutOfUse`].
pub async fn usable(config: &Rc<Config>) -> Result<Usable, Error> {
    let record = renew(config).await.filter(|record| record.admits()).ok_or(Error::CacheOutOfUse)?;
    trusted(config, record).await.ok_or(Error::CacheOutOfUse)
}

/// Drains the outbox on an operator's request; how many rows there were.
///
/// # Errors
/// [`Error::Unavailable`] when the Redis that is trusted cannot be reached: another one must not be told instead.
pub async fn drain(config: &Rc<Config>) -> Result<usize, Error> {
    let record = renew(config).await.ok_or_else(|| Error::Unavailable("the breaker's record cannot be read".into()))?;
    let kept = connect(config).await.filter(|kept| record.trusts(&kept.run_id));
    let kept = kept.ok_or_else(|| Error::Unavailable("the trusted Redis cannot be reached".into()))?;
    outbox::drain(config, &kept).await
}
