//! The breaker: two instances of the product, their votes, and what a write does meanwhile.

use crate::documents::{Document, Language, NONCE, entry, slot};
use cache::Rejection;
use cache::breaker::{Admission, Event, Lease, Local, Reaction, Record, next};
use cache::protocol::{AfterStatement, BeforeStatement, after_fenced, before_statement};
use std::time::Duration;

const LEASE: Duration = Duration::from_millis(500);
const RESET: Duration = Duration::from_secs(60);
const LONGEST_STATEMENT: Duration = Duration::from_secs(4);
const THRESHOLD: u32 = 3;
const START_MS: u64 = 1_000_000;

/// The record that the instances share, and the one clock of all of them.
struct Shared {
    record: Record,
    now_ms: u64,
}

impl Shared {
    /// After its first probe.
    fn in_use() -> Self {
        let mut shared = Self { record: Record::initial(START_MS), now_ms: START_MS };
        shared.probe("run-1");
        shared
    }

    fn report(&mut self, event: Event<'_>) {
        self.record = next(&self.record, event, self.now_ms, RESET).expect("it changes the record");
    }

    fn probe(&mut self, run_id: &str) {
        self.report(Event::ProbeOffered { token: "probe" });
        self.report(Event::ProbeSucceeded { token: "probe", run_id });
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.now_ms)
    }
}

/// An instance, which reads the record whenever its lease has lapsed.
struct Instance {
    name: &'static str,
    local: Local,
}

impl Instance {
    fn start(name: &'static str, shared: &Shared) -> Self {
        let mut instance = Self { name, local: Local::default() };
        instance.read(shared);
        instance
    }

    fn read(&mut self, shared: &Shared) {
        self.local.keep(Lease::new(shared.record.clone(), shared.now()));
    }

    fn admission(&self, shared: &Shared) -> Admission {
        self.local.admission(shared.now(), LEASE).0
    }

    /// A command of Redis fails; whether this instance votes.
    fn fails(&mut self, shared: &mut Shared) -> bool {
        shared.now_ms += 1;
        let sent_and_known = (shared.now(), shared.now());
        let name = self.name;
        let reaction = self.local.failed(sent_and_known, shared.now_ms, THRESHOLD, RESET, || Some(name.into()));
        let Reaction::Vote { voter } = reaction else {
            return false;
        };
        shared.report(Event::Failing { voter: &voter, lease: LEASE });
        self.local.cool_down(shared.now(), RESET);
        true
    }
}

#[test]
fn an_instance_votes_at_the_threshold_and_another_confirms_the_vote_with_one_failure() {
    let mut shared = Shared::in_use();
    let mut first = Instance::start("first", &shared);
    assert!(matches!(first.admission(&shared), Admission::Admitted(_)));
    assert_eq!([(); 3].map(|()| first.fails(&mut shared)), [false, false, true]);
    assert!(shared.record.admits(), "one vote does not open the breaker");
    assert_eq!(first.admission(&shared), Admission::Barred);

    let second = Instance::start("second", &shared);
    assert!(matches!(second.admission(&shared), Admission::Admitted(_)));
    shared.now_ms += 500;
    let mut second = Instance::start("second", &shared);
    assert!(second.fails(&mut shared));
    assert_eq!(shared.record.state_name(), "open");
    second.read(&shared);
    assert_eq!(second.admission(&shared), Admission::Barred);
}

#[test]
fn an_instance_that_redis_answers_takes_the_vote_of_another_back() {
    let mut shared = Shared::in_use();
    let mut cut_off = Instance::start("cut off", &shared);
    assert_eq!([(); 3].map(|()| cut_off.fails(&mut shared)), [false, false, true]);
    let mut well = Instance::start("well", &shared);
    assert!(well.local.answered(shared.now()));
    shared.report(Event::Answering);
    assert_eq!((shared.record.admits(), shared.record.suspicion.is_none()), (true, true));
}

#[test]
fn a_lease_that_has_lapsed_admits_only_once_the_record_was_read_again() {
    let mut shared = Shared::in_use();
    let mut instance = Instance::start("instance", &shared);
    shared.now_ms += 500;
    assert!(matches!(instance.admission(&shared), Admission::Lapsed(_)));
    instance.read(&shared);
    assert!(matches!(instance.admission(&shared), Admission::Admitted(_)));
}

#[test]
fn a_write_fences_while_the_cache_is_used_and_goes_on_without_while_it_is_not() {
    let mut shared = Shared::in_use();
    let before = |shared: &Shared| before_statement(Some(&shared.record), shared.now_ms, LEASE, LONGEST_STATEMENT);
    assert_eq!(before(&shared), BeforeStatement::Fence);
    assert_eq!(after_fenced(Some(&shared.record), "run-1", shared.now_ms, LEASE), AfterStatement::Done);

    shared.now_ms += 10_000;
    shared.report(Event::UnfencedWrite { until_ms: shared.now_ms + 60_000, unfit: None });
    // One lease, and what the clocks of two hosts may differ by.
    assert_eq!(before(&shared), BeforeStatement::GoOn(LEASE + Duration::from_millis(500)));
    shared.now_ms += 1_000;
    assert_eq!(before(&shared), BeforeStatement::GoOn(Duration::ZERO));
    shared.now_ms += 58_000;
    assert_eq!(before(&shared), BeforeStatement::FenceAnyway(Duration::ZERO), "a probe may come first");
}

#[test]
fn a_write_that_fenced_another_redis_than_the_one_in_use_quarantines_the_cache() {
    let mut shared = Shared::in_use();
    shared.report(Event::AnotherRedis { run_id: "run-2" });
    shared.probe("run-2");
    let after = after_fenced(Some(&shared.record), "run-1", shared.now_ms, LEASE);
    assert_eq!(after, AfterStatement::Quarantine);
    shared.report(Event::MissedInvalidation);
    assert!(!shared.record.admits());
}

#[test]
fn entries_of_the_redis_from_before_are_outdated() {
    let mut shared = Shared::in_use();
    let slot = slot("ada", Document::Text(7), "");
    let bytes = slot.wrap(&entry(1, Language::English, "old"), shared.record.epoch, Some(&NONCE));
    shared.report(Event::MissedInvalidation);
    shared.now_ms += 1_000;
    shared.probe("run-1");
    assert!(slot.open(bytes.clone(), shared.record.epoch).is_ok(), "it is the same Redis, and the outbox is drained");
    shared.report(Event::AnotherRedis { run_id: "run-2" });
    shared.probe("run-2");
    assert_eq!(slot.open(bytes, shared.record.epoch), Err(Rejection::Outdated));
}
