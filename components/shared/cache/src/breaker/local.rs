//! What an instance keeps of the breaker for itself: its lease on the record, and what it has seen of Redis.

use super::admission::{Admission, admission};
use super::failures::{Cooldown, Failures};
use super::lease::{Lease, LeaseState};
use super::record::{Mode, Record};
use crate::{RedisFailure, Unfit};
use std::rc::Rc;
use std::time::Duration;

/// What an instance keeps of the breaker for itself. All moments are on its monotonic clock, unless they say Unix time.
///
/// ```
/// use cache::breaker::{Admission, Lease, Local, Record, State};
/// use std::time::Duration;
///
/// let at = Duration::from_millis;
/// let mut local = Local::default();
/// assert_eq!(local.admission(at(0), at(500)), (Admission::Unknown, false));
///
/// local.keep(Lease::new(Record { state: State::Closed, ..Record::initial(1) }, at(0)));
/// let (admission, renew) = local.admission(at(300), at(500));
/// assert!(matches!(admission, Admission::Admitted(_)) && renew);
/// assert!(matches!(local.admission(at(500), at(500)).0, Admission::Lapsed(_)));
/// ```
#[derive(Default)]
pub struct Local {
    lease: Option<Lease>,
    is_renewing: bool,
    failures: Failures,
    /// This instance's token as a voter, made at its first failure.
    voter: Option<String>,
    /// Set by a vote, lifted when Redis answers.
    cooldown: Option<Cooldown>,
    /// Why the last command had no result.
    problem: Option<String>,
    /// Why the Redis that last answered cannot be used.
    unfit: Option<Unfit>,
}

/// What an instance does about a failure of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing: there were too few, or an operator has the breaker not heed them.
    Wait,
    /// It says that it would vote: an operator observes what the breaker would do.
    Observe {
        /// How many failures there were.
        failures: u32,
    },
    /// It votes that Redis is failing, and leaves Redis alone for one reset.
    Vote {
        /// Its token as a voter.
        voter: String,
    },
}

impl Local {
    /// What the lease and the cooldown allow at `now`, for leases of `length`; and whether the lease is to be renewed in the
    /// background, so that requests hardly ever wait for that.
    pub fn admission(&self, now: Duration, length: Duration) -> (Admission, bool) {
        let Some(lease) = &self.lease else {
            return (Admission::Unknown, false);
        };
        let state = lease.state(now, length);
        if self.cooldown.is_some_and(|cooldown| cooldown.holds(&lease.shared_record(), now)) {
            return (Admission::Barred, state != LeaseState::Valid);
        }
        (admission(Some(lease), now, length), state == LeaseState::RenewSoon)
    }

    /// When the lease lapses, for leases of `length`; `None` without one.
    pub fn lease_lapses_at(&self, length: Duration) -> Option<Duration> {
        self.lease.as_ref().map(|lease| lease.lapses_at(length))
    }

    /// Whether the caller is the one to renew the lease in the background; it calls [`Local::end_renewal`] afterwards.
    pub fn begin_renewal(&mut self) -> bool {
        !std::mem::replace(&mut self.is_renewing, true)
    }

    /// See [`Local::begin_renewal`].
    pub fn end_renewal(&mut self) {
        self.is_renewing = false;
    }

    /// The record as it was last read.
    pub fn record(&self) -> Option<Rc<Record>> {
        self.lease.as_ref().map(Lease::shared_record)
    }

    /// Keeps what was read.
    pub fn keep(&mut self, lease: Lease) {
        self.lease = Some(lease);
        self.is_renewing = false;
    }

    /// The record cannot be read: nothing is known.
    pub fn forget_record(&mut self) {
        self.lease = None;
    }

    /// Redis has answered a command that was sent at `sent_at`: forgets failures and the cooldown. Whether the record has a
    /// suspicion that was read before, and is to be cleared.
    pub fn answered(&mut self, sent_at: Duration) -> bool {
        self.failures.forget();
        self.cooldown = None;
        self.problem = None;
        self.unfit = None;
        let lease = self.lease.as_ref().filter(|lease| lease.was_read_before(sent_at));
        lease.is_some_and(|lease| lease.shared_record().suspicion.is_some())
    }

    /// A command had no result.
    pub fn noted(&mut self, failure: &RedisFailure) {
        self.problem = Some(failure.message());
        self.unfit = failure.unfit();
    }

    /// Counts a failure of a command that was sent at `sent_at`. `now_ms` is Unix time, `threshold` and `reset` are the breaker's,
    /// and `token` makes this instance's token as a voter.
    pub fn failed(
        &mut self,
        (sent_at, now): (Duration, Duration),
        now_ms: u64,
        threshold: u32,
        reset: Duration,
        token: impl FnOnce() -> Option<String>,
    ) -> Reaction {
        if self.voter.is_none() {
            self.voter = token();
        }
        let voter = self.voter.clone().unwrap_or_default();
        let record = self.record();
        let failures = self.failures.count(sent_at, now);
        let enough =
            record.as_ref().map_or(threshold, |record| record.failures_to_vote(&voter, threshold, now_ms, reset));
        match record.filter(|record| !record.heeds_failures()) {
            _ if failures < enough => Reaction::Wait,
            Some(record) if record.mode == Mode::Observe && failures == enough => Reaction::Observe { failures },
            Some(_) => Reaction::Wait,
            None => Reaction::Vote { voter },
        }
    }

    /// Leaves Redis alone for one reset after a vote, even if no other instance confirms it.
    pub fn cool_down(&mut self, now: Duration, reset: Duration) {
        let record = self.record().filter(|record| record.admits());
        self.cooldown = record.map(|record| Cooldown::new(&record, now, reset));
    }

    /// Why the last command had no result, for an administrator; `None` when it had one.
    pub fn problem(&self) -> Option<String> {
        self.problem.clone()
    }

    /// Why the Redis that last answered cannot be used.
    pub fn unfit(&self) -> Option<Unfit> {
        self.unfit
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{State, Suspicion};
    use super::*;

    const LENGTH: Duration = Duration::from_millis(500);
    const RESET: Duration = Duration::from_secs(60);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn closed() -> Record {
        Record { state: State::Closed, ..Record::initial(1) }
    }

    fn holding(record: Record) -> Local {
        let mut local = Local::default();
        local.keep(Lease::new(record, at(0)));
        local
    }

    fn fail(local: &mut Local, ms: u64) -> Reaction {
        local.failed((at(ms), at(ms)), 1_000, 3, RESET, || Some("me".into()))
    }

    #[test]
    fn an_instance_votes_at_the_threshold_and_leaves_redis_alone_until_it_answers() {
        let mut local = holding(closed());
        assert_eq!([fail(&mut local, 1), fail(&mut local, 2)], [Reaction::Wait, Reaction::Wait]);
        assert_eq!(fail(&mut local, 3), Reaction::Vote { voter: "me".into() });
        local.cool_down(at(4), RESET);
        assert_eq!(local.admission(at(5), LENGTH).0, Admission::Barred);
        assert!(!local.answered(at(6)), "there is no suspicion to take back");
        assert!(matches!(local.admission(at(7), LENGTH).0, Admission::Admitted(_)));
    }

    #[test]
    fn one_failure_confirms_the_vote_of_another() {
        let suspicion = Some(Suspicion { voter: "another".into(), at_ms: 900 });
        assert_eq!(fail(&mut holding(Record { suspicion, ..closed() }), 1), Reaction::Vote { voter: "me".into() });
    }

    #[test]
    fn an_answer_takes_back_a_suspicion_that_was_read_before_it_was_asked_for() {
        let suspicion = Some(Suspicion { voter: "another".into(), at_ms: 900 });
        let mut local = Local::default();
        local.keep(Lease::new(Record { suspicion, ..closed() }, at(10)));
        assert!(!local.answered(at(9)));
        assert!(local.answered(at(10)));
    }

    #[test]
    fn in_observe_mode_an_instance_reports_its_vote_once() {
        let mut local = holding(Record { mode: Mode::Observe, ..closed() });
        let reactions: Vec<_> = (1..=4).map(|ms| fail(&mut local, ms)).collect();
        assert_eq!(reactions, [Reaction::Wait, Reaction::Wait, Reaction::Observe { failures: 3 }, Reaction::Wait]);
        let mut local = holding(Record { mode: Mode::ForcedClosed, ..closed() });
        assert!((1..=4).all(|ms| fail(&mut local, ms) == Reaction::Wait));
    }

    #[test]
    fn a_lease_is_renewed_by_one_task_at_a_time() {
        let mut local = holding(closed());
        assert!(!local.admission(at(249), LENGTH).1 && local.admission(at(250), LENGTH).1);
        assert!(local.begin_renewal() && !local.begin_renewal());
        local.end_renewal();
        assert!(local.begin_renewal());
        local.keep(Lease::new(closed(), at(300)));
        assert!(local.begin_renewal(), "what was read ends a renewal too");
    }
}
