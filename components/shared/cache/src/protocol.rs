//! What a read and a write decide about the cache, as pure functions. I/O code calls them between its steps, and the
//! model checker (`tests/model`) explores them together with [`crate::breaker`] over all interleavings.

use crate::breaker::{Record, State};
use std::time::Duration;

/// How long PostgreSQL may work on one statement, in milliseconds (`statement_timeout`): it gives up before its client stops
/// listening, which waits for 2 s by default, and far below [`FENCE_MS`].
pub const STATEMENT_TIMEOUT_MS: u64 = 1_500;
/// The longest that a client waits for Redis or for PostgreSQL, in milliseconds.
pub const LONGEST_DEADLINE_MS: u64 = 10_000;
/// How long a write's fence stands if its writer dies, in milliseconds: the statement's own limit, the longest time that the
/// client waits for a connection and an answer, and as much again for a commit that is slow to reach the disk. While it stands
/// nothing is stored under its keys, so longer is safe, only slower. Of a statement that outlives it all the same,
/// [`crate::database`] takes care.
pub const FENCE_MS: u64 = 2 * (STATEMENT_TIMEOUT_MS + LONGEST_DEADLINE_MS);

/// How far the clocks of two hosts may differ, in milliseconds. Only the wait for another's leases compares them. Where the record is
/// in PostgreSQL its clock is the only one, and this covers how late it is told ([`crate::breaker::RecordClock`]).
pub(crate) const CLOCK_SKEW_MS: u64 = 500;

/// The longest that any instance waits for leases from before.
fn longest_wait(lease: Duration) -> Duration {
    lease + Duration::from_millis(CLOCK_SKEW_MS)
}

/// When every write is over that has already decided to go on without a fence, Unix time in milliseconds. `longest` is how
/// long a statement may take.
pub fn unfenced_writes_are_over_at(now_ms: u64, lease: Duration, longest: Duration) -> u64 {
    over_at(now_ms, longest_wait(lease) + longest)
}

/// How long to wait until no instance can still act on a lease from before the breaker was opened, by any instance.
/// `now_ms` is Unix time in milliseconds, `lease` how long a lease lasts.
pub fn until_leases_are_over(record: &Record, now_ms: u64, lease: Duration) -> Duration {
    longest_wait(lease).saturating_sub(Duration::from_millis(now_ms.saturating_sub(record.left_ms)))
}

/// How long it takes until no lease is left under which another Redis than `run_id` is read, or what it answered is answered again.
/// `record` trusts that other Redis, or none any more.
pub fn until_another_redis_is_not_used(record: &Record, run_id: &str, now_ms: u64, lease: Duration) -> Duration {
    if record.trusts(run_id) || !record.has_been_used {
        return Duration::ZERO;
    }
    until_leases_are_over(record, now_ms, lease)
}

/// How long a write waits that has just taken the cache out of use, or found that it is, by the record as the swap left it: no
/// instance acts on a lease from before then. Such a lease is older than the swap, so one lease is always enough; and if the
/// breaker was open all the time, the last of them is over long ago.
pub fn until_nobody_uses_the_cache(record: &Record, now_ms: u64, lease: Duration) -> Duration {
    if record.admits() { lease } else { until_leases_are_over(record, now_ms, lease).min(lease) }
}

/// What a write does before its statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeforeStatement {
    /// Put up the fence in the Redis that is trusted; if that fails, keep the breaker open as below.
    Fence,
    /// The cache is out of use, but may be let in again before the statement is over, or the record is unknown: wait until the last
    /// lease from before is over, and put up the fence in whatever Redis answers; if none does, keep the breaker open until
    /// the statement is over, and wait [`until_nobody_uses_the_cache`].
    FenceAnyway(Duration),
    /// The cache is out of use until after the statement, whose outbox row the next probe will find: wait until the last
    /// lease from before is over, which is mostly long ago.
    GoOn(Duration),
}

/// What a write does before its statement, given the breaker's record, or `None` when it cannot be read. `longest` is how
/// long a statement may take.
///
/// ```
/// use cache::breaker::{Record, State};
/// use cache::protocol::{BeforeStatement, before_statement};
/// use std::time::Duration;
///
/// let before = |record: Option<&Record>| {
///     before_statement(record, 10_000, Duration::from_millis(500), Duration::from_secs(4))
/// };
/// let record = |state| Record { state, ..Record::initial(1) };
/// assert_eq!(before(Some(&record(State::Closed))), BeforeStatement::Fence);
/// // The next probe comes later than the statement ends, or it may come sooner.
/// let open = |retry_at_ms| record(State::Open { retry_at_ms });
/// assert_eq!(before(Some(&open(14_000))), BeforeStatement::GoOn(Duration::ZERO));
/// assert_eq!(before(Some(&open(13_999))), BeforeStatement::FenceAnyway(Duration::ZERO));
/// // One lease, and what the clocks of two hosts may differ by.
/// assert_eq!(before(None), BeforeStatement::FenceAnyway(Duration::from_secs(1)));
/// ```
pub fn before_statement(record: Option<&Record>, now_ms: u64, lease: Duration, longest: Duration) -> BeforeStatement {
    let Some(record) = record else {
        // It may only be out of reach for a moment, and then say that the cache is used.
        return BeforeStatement::FenceAnyway(longest_wait(lease));
    };
    let wait = until_leases_are_over(record, now_ms, lease);
    match record.state {
        State::Closed => BeforeStatement::Fence,
        State::Open { retry_at_ms } if retry_at_ms >= over_at(now_ms, wait + longest) => BeforeStatement::GoOn(wait),
        State::Open { .. } | State::HalfOpen { .. } => BeforeStatement::FenceAnyway(wait),
    }
}

/// Unix time in milliseconds, `longest` from now.
pub fn over_at(now_ms: u64, longest: Duration) -> u64 {
    now_ms.saturating_add(u64::try_from(longest.as_millis()).unwrap_or(u64::MAX))
}

/// What a write does after its statement, before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterStatement {
    /// Nothing more: no trusted Redis can hold what the write has replaced.
    Done,
    /// Invalidate; if that fails, [`AfterStatement::Quarantine`].
    Invalidate,
    /// Take the cache out of use for all instances and wait [`until_nobody_uses_the_cache`].
    Quarantine,
    /// The outbox row does it. Wait until the last lease from before is over: the breaker may have been closed for a moment
    /// while the statement ran.
    Wait(Duration),
}

/// What a write does after its statement when it has fenced and invalidated in the Redis `run_id`, given the breaker's
/// record as it is *now*, or `None` when it cannot be read.
///
/// That Redis may have been given up for another one meanwhile, and still answer.
///
/// ```
/// use cache::breaker::{Record, State};
/// use cache::protocol::{AfterStatement, after_fenced};
/// use std::time::Duration;
///
/// let record = Record { state: State::Closed, run_id: Some("r1".into()), ..Record::initial(1) };
/// let after = |record, run_id| after_fenced(record, run_id, 10_000, Duration::from_millis(500));
/// assert_eq!(after(Some(&record), "r1"), AfterStatement::Done);
/// assert_eq!(after(Some(&record), "r2"), AfterStatement::Quarantine);
/// assert_eq!(after(None, "r1"), AfterStatement::Quarantine);
/// ```
pub fn after_fenced(record: Option<&Record>, run_id: &str, now_ms: u64, lease: Duration) -> AfterStatement {
    let Some(record) = record else {
        return AfterStatement::Quarantine;
    };
    match record.state {
        _ if record.trusts(run_id) => AfterStatement::Done,
        State::Closed => AfterStatement::Quarantine,
        // None is trusted: whichever is next begins with a new epoch. Another one may have been in use for a moment.
        State::Open { .. } | State::HalfOpen { .. } if record.run_id.is_none() => {
            match until_another_redis_is_not_used(record, run_id, now_ms, lease) {
                Duration::ZERO => AfterStatement::Done,
                wait => AfterStatement::Wait(wait),
            }
        }
        State::Open { .. } => AfterStatement::Wait(until_leases_are_over(record, now_ms, lease)),
        State::HalfOpen { .. } => AfterStatement::Quarantine,
    }
}

/// What a write without a fence does after its statement, given the breaker's record as it is *now*, or `None` when it
/// cannot be read.
///
/// While the breaker is open, a probe that begins from now on finds the outbox row. If one has begun already, it may have
/// looked before the row was there.
pub fn after_unfenced(record: Option<&Record>, now_ms: u64, lease: Duration) -> AfterStatement {
    let Some(record) = record else {
        return AfterStatement::Quarantine;
    };
    match record.state {
        State::Open { .. } => AfterStatement::Wait(until_leases_are_over(record, now_ms, lease)),
        State::HalfOpen { .. } | State::Closed => AfterStatement::Invalidate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(state: State) -> Record {
        Record { state, ..Record::initial(1) }
    }

    const LEASE: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_millis(4_000);

    #[test]
    fn a_write_without_a_fence_relies_on_the_outbox_only_if_a_probe_comes_later() {
        let after = |state| after_unfenced(Some(&record(state)), 10_000, LEASE);
        let probing = State::HalfOpen { probe: "p".into(), lease_until_ms: 0 };
        assert_eq!(after(State::Open { retry_at_ms: 0 }), AfterStatement::Wait(Duration::ZERO));
        assert_eq!(after(probing), AfterStatement::Invalidate);
        assert_eq!(after(State::Closed), AfterStatement::Invalidate);
        assert_eq!(after_unfenced(None, 0, LEASE), AfterStatement::Quarantine);
    }

    #[test]
    fn a_write_that_fenced_a_redis_which_was_given_up_does_not_count_on_it() {
        let after = |state, trusted: Option<&str>| {
            let record = Record { run_id: trusted.map(str::to_owned), ..record(state) };
            after_fenced(Some(&record), "mine", 10_000, LEASE)
        };
        let probing = || State::HalfOpen { probe: "p".into(), lease_until_ms: 0 };
        assert_eq!(after(State::Closed, Some("mine")), AfterStatement::Done);
        assert_eq!(after(State::Closed, Some("another")), AfterStatement::Quarantine);
        assert_eq!(after(State::Open { retry_at_ms: 0 }, Some("mine")), AfterStatement::Done);
        assert_eq!(after(State::Open { retry_at_ms: 0 }, Some("another")), AfterStatement::Wait(Duration::ZERO));
        assert_eq!(after(probing(), Some("another")), AfterStatement::Quarantine);
        assert_eq!(after(probing(), None), AfterStatement::Done, "a first start");
        let given_up = Record { has_been_used: true, left_ms: 9_900, ..record(probing()) };
        assert_eq!(
            after_fenced(Some(&given_up), "mine", 10_000, LEASE),
            AfterStatement::Wait(Duration::from_millis(900)),
            "another one was in use"
        );
        assert_eq!(after_fenced(None, "mine", 0, LEASE), AfterStatement::Quarantine);
    }

    #[test]
    fn a_write_goes_on_without_a_fence_only_if_no_probe_begins_before_it_is_over() {
        let before = |state| before_statement(Some(&record(state)), 10_000, LEASE, LONGEST);
        assert_eq!(before(State::Open { retry_at_ms: 14_000 }), BeforeStatement::GoOn(Duration::ZERO));
        assert_eq!(before(State::Open { retry_at_ms: 13_999 }), BeforeStatement::FenceAnyway(Duration::ZERO));
        let probing = State::HalfOpen { probe: "p".into(), lease_until_ms: 99_999 };
        assert_eq!(before(probing), BeforeStatement::FenceAnyway(Duration::ZERO));
        assert_eq!(before(State::Closed), BeforeStatement::Fence);
        assert_eq!(before_statement(None, 0, LEASE, LONGEST), BeforeStatement::FenceAnyway(Duration::from_secs(1)));
    }

    #[test]
    fn a_write_waits_for_leases_only_where_there_may_be_some() {
        let wait =
            |state, left_ms, now_ms| until_nobody_uses_the_cache(&Record { left_ms, ..record(state) }, now_ms, LEASE);
        let open = || State::Open { retry_at_ms: u64::MAX };
        assert_eq!(wait(open(), 10_000, 10_000), LEASE, "the write itself has just opened it");
        assert_eq!(wait(open(), 10_000, 10_700), Duration::from_millis(300), "by another host's clock");
        assert_eq!(wait(open(), 10_000, 11_000), Duration::ZERO);
        assert_eq!(wait(open(), 10_000, 0), LEASE, "a clock that is behind");
        assert_eq!(wait(State::Closed, 0, 10_000), LEASE, "the record was closed again meanwhile");
    }

    #[test]
    fn a_probe_waits_for_those_who_use_another_redis() {
        let left = |run_id: Option<&str>, has_been_used| Record {
            left_ms: 10_000,
            run_id: run_id.map(str::to_owned),
            has_been_used,
            ..record(State::HalfOpen { probe: "p".into(), lease_until_ms: 99_999 })
        };
        let wait = |record: &Record, now_ms| until_another_redis_is_not_used(record, "mine", now_ms, LEASE);
        assert_eq!(wait(&left(Some("mine"), true), 10_000), Duration::ZERO);
        assert_eq!(wait(&left(Some("another"), true), 10_000), Duration::from_secs(1));
        assert_eq!(wait(&left(None, true), 10_400), Duration::from_millis(600), "it was given up before");
        assert_eq!(wait(&left(None, true), 11_000), Duration::ZERO);
        assert_eq!(wait(&left(None, false), 10_000), Duration::ZERO, "a first start");
    }

    #[test]
    fn an_order_leaves_time_for_the_writes_that_count_on_no_probe() {
        for left_ms in [0, 9_000, 10_000] {
            let open = Record { left_ms, ..record(State::Open { retry_at_ms: u64::MAX }) };
            let BeforeStatement::GoOn(wait) = before_statement(Some(&open), 10_000, LEASE, LONGEST) else {
                panic!("it goes on");
            };
            assert!(unfenced_writes_are_over_at(10_000, LEASE, LONGEST) >= over_at(10_000, wait + LONGEST));
        }
    }

    #[test]
    fn a_write_that_finds_the_breaker_just_opened_waits_for_the_leases_from_before() {
        let open = Record { left_ms: 10_000, ..record(State::Open { retry_at_ms: u64::MAX }) };
        let wait = |now_ms| before_statement(Some(&open), now_ms, LEASE, LONGEST);
        assert_eq!(wait(10_000), BeforeStatement::GoOn(Duration::from_millis(1_000)));
        assert_eq!(wait(10_400), BeforeStatement::GoOn(Duration::from_millis(600)));
        assert_eq!(wait(11_000), BeforeStatement::GoOn(Duration::ZERO));
        // A clock that is behind does not make it wait for longer.
        assert_eq!(wait(0), BeforeStatement::GoOn(Duration::from_millis(1_000)));
    }
}
