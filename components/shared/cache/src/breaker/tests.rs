use super::transition::grown_reset_ms;
use super::*;
use crate::Unfit;
use crate::database::lineage::Seen;
use proptest::prelude::*;
use std::time::Duration;

const RESET: Duration = Duration::from_secs(60);
const NOW: u64 = 1_000_000;

fn closed() -> Record {
    Record {
        state: State::Closed,
        epoch: 5,
        run_id: Some("r1".into()),
        since_ms: 0,
        left_ms: 0,
        reason: String::new(),
        mode: Mode::Auto,
        failed_probes: 0,
        suspicion: None,
        database: None,
        has_been_used: true,
    }
}

const LEASE: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(300);
const FIRST: Event<'_> = Event::Failing { voter: "first", lease: LEASE };
const SECOND: Event<'_> = Event::Failing { voter: "second", lease: LEASE };

/// What two instances that see Redis fail make of it.
fn opened() -> Record {
    after(&after(&closed(), FIRST, NOW - 500), SECOND, NOW)
}

fn after(record: &Record, event: Event<'_>, now: u64) -> Record {
    next(record, event, now, RESET).unwrap_or_else(|| panic!("{event:?} changes nothing of {record:?}"))
}

#[test]
fn it_opens_when_redis_fails_and_is_probed_after_the_reset() {
    let open = opened();
    assert!(!open.admits());
    assert!(!open.probe_is_due(NOW + 59_999));
    assert_eq!(next(&open, Event::ProbeOffered { token: "a" }, NOW + 59_999, RESET), None);
    let half_open = after(&open, Event::ProbeOffered { token: "a" }, NOW + 60_000);
    assert!(!half_open.admits());
}

#[test]
fn what_a_redis_was_told_is_enough_unless_another_is_trusted() {
    assert!(closed().covers("r1") && !closed().covers("r2"));
    let left = after(&closed(), Event::AnotherRedis { run_id: "r2" }, NOW);
    assert!(left.covers("r1") && !left.covers("r2"), "r1 may be let in again, with its entries");
    let probing = after(&left, Event::ProbeOffered { token: "a" }, NOW + 60_000);
    let replaced = after(&probing, Event::AnotherRedis { run_id: "r2" }, NOW + 60_000);
    assert!(replaced.covers("r1") && replaced.covers("r2"), "whichever is next begins another epoch");
}

#[test]
fn it_remembers_when_it_was_last_closed_through_probes_that_fail() {
    let open = after(&closed(), Event::MissedInvalidation, NOW);
    assert_eq!(open.left_ms, NOW);
    let half_open = after(&open, Event::ProbeOffered { token: "a" }, NOW + 60_000);
    let open_again = after(&half_open, Event::ProbeFailed { token: "a", longest: LONGEST, unfit: None }, NOW + 60_100);
    assert_eq!(open_again.left_ms, NOW);
}

#[test]
fn only_one_probe_runs_until_its_lease_is_over() {
    let open = opened();
    let half_open = after(&open, Event::ProbeOffered { token: "a" }, NOW + 60_000);
    assert_eq!(next(&half_open, Event::ProbeOffered { token: "b" }, NOW + 60_001, RESET), None);
    let taken_over = after(&half_open, Event::ProbeOffered { token: "b" }, NOW + 60_000 + PROBE_LEASE_MS);
    let late = Event::ProbeSucceeded { token: "a", run_id: "r1" };
    assert_eq!(next(&taken_over, late, NOW + 80_000, RESET), None);
    assert!(after(&taken_over, Event::ProbeSucceeded { token: "b", run_id: "r1" }, NOW + 80_000).admits());
}

#[test]
fn the_epoch_moves_only_when_redis_is_another_one() {
    let half_open = Record { state: State::HalfOpen { probe: "a".into(), lease_until_ms: NOW }, ..closed() };
    let same = after(&half_open, Event::ProbeSucceeded { token: "a", run_id: "r1" }, NOW);
    assert_eq!((same.epoch, same.run_id.as_deref()), (5, Some("r1")));
    let other = after(&half_open, Event::ProbeSucceeded { token: "a", run_id: "r2" }, NOW);
    assert_eq!((other.epoch, other.run_id.as_deref()), (NOW, Some("r2")));
    let clock_went_back = after(&half_open, Event::ProbeSucceeded { token: "a", run_id: "r2" }, 1);
    assert_eq!(clock_went_back.epoch, 6);
}

#[test]
fn the_epoch_moves_in_every_state_when_the_database_may_lack_what_it_had() {
    let seen = |run: &str, run_from| Seen {
        id: "cluster/1/database".into(),
        run: run.into(),
        run_from,
        position: 100,
        clock_ms: 1,
    };
    let half_open = Record { state: State::HalfOpen { probe: "a".into(), lease_until_ms: NOW }, ..closed() };
    let forced = after(&closed(), Event::Ordered { mode: Mode::ForcedOpen, over_ms: NOW }, NOW);
    for record in [closed(), half_open, opened(), forced] {
        let first = after(&record, Event::DatabaseSeen { seen: &seen("first", None) }, NOW);
        assert_eq!((first.epoch, &first.state), (record.epoch, &record.state), "the first to be known");
        assert_eq!(next(&first, Event::DatabaseSeen { seen: &seen("first", None) }, NOW, RESET), None);
        let restarted = after(&first, Event::DatabaseSeen { seen: &seen("second", Some(100)) }, NOW);
        assert_eq!(restarted.epoch, record.epoch);
        let put_back = after(&restarted, Event::DatabaseSeen { seen: &seen("third", Some(99)) }, NOW);
        assert_eq!((put_back.epoch, &put_back.state), (NOW, &record.state));
        let again = after(&put_back, Event::DatabaseSeen { seen: &seen("fourth", None) }, NOW);
        assert_eq!(again.epoch, NOW + 1);
    }
    let of_an_earlier_version = serde_json::to_string(&closed()).expect("JSON").replace(r#","database":null"#, "");
    assert_eq!(serde_json::from_str::<Record>(&of_an_earlier_version).expect("a record"), closed());
}

#[test]
fn a_record_of_another_run_of_its_database_keeps_its_state_and_order_in_a_new_epoch() {
    let seen = Seen { id: "d".into(), run: "first".into(), run_from: None, position: 100, clock_ms: 1 };
    let half_open = Record { state: State::HalfOpen { probe: "a".into(), lease_until_ms: NOW }, ..closed() };
    let forced = after(&closed(), Event::Ordered { mode: Mode::ForcedOpen, over_ms: NOW }, NOW);
    for record in [closed(), half_open, opened(), forced] {
        let told = after(&record, Event::DatabaseSeen { seen: &seen }, NOW);
        let anew = after(&told, Event::RecordIsOfAnotherRun, NOW);
        assert_eq!((anew.epoch, &anew.state, anew.mode, &anew.database), (NOW, &record.state, record.mode, &None));
    }
}

#[test]
fn what_a_redis_cannot_do_is_said_as_long_as_it_is_so() {
    let unfit = Some(Unfit::Cluster);
    let half_open = Record { state: State::HalfOpen { probe: "a".into(), lease_until_ms: NOW }, ..closed() };
    let failed = after(&half_open, Event::ProbeFailed { token: "a", longest: LONGEST, unfit }, NOW);
    assert!(failed.reason.contains("cluster mode"), "{}", failed.reason);
    let written = after(&closed(), Event::UnfencedWrite { until_ms: NOW + 1, unfit }, NOW);
    assert!(written.reason.contains("cluster mode"), "{}", written.reason);
    let held = after(&failed, Event::UnfencedWrite { until_ms: NOW + 100_000, unfit: None }, NOW);
    assert_eq!(held.reason, failed.reason);
}

#[test]
fn a_copy_of_redis_that_gave_it_another_replication_id_changes_nothing() {
    let closed = Record { run_id: Some("1e/a".into()), ..closed() };
    assert_eq!(next(&closed, Event::AnotherRedis { run_id: "1e/b" }, NOW, RESET), None);
    let half_open = Record { state: State::HalfOpen { probe: "a".into(), lease_until_ms: NOW }, ..closed };
    assert_eq!(next(&half_open, Event::AnotherRedis { run_id: "1e/b" }, NOW, RESET), None);
    let back = after(&half_open, Event::ProbeSucceeded { token: "a", run_id: "1e/b" }, NOW);
    assert_eq!((back.epoch, back.run_id.as_deref()), (5, Some("1e/b")));
    let promoted = after(&half_open, Event::ProbeSucceeded { token: "a", run_id: "1e/c/9/5" }, NOW);
    assert_eq!(promoted.epoch, NOW);
}

#[test]
fn a_missed_invalidation_stops_a_probe_that_may_have_overlooked_it() {
    let half_open = Record { state: State::HalfOpen { probe: "a".into(), lease_until_ms: NOW }, ..closed() };
    let open = after(&half_open, Event::MissedInvalidation, NOW);
    assert_eq!(next(&open, Event::ProbeSucceeded { token: "a", run_id: "r1" }, NOW, RESET), None);
    assert!(open.probe_is_due(NOW + 1_000));
}

#[test]
fn a_write_without_a_fence_holds_the_breaker_open_until_it_is_over() {
    let write = Event::UnfencedWrite { until_ms: NOW + 4_000, unfit: None };
    let half_open = Record { state: State::HalfOpen { probe: "a".into(), lease_until_ms: NOW }, ..closed() };
    for record in [closed(), half_open, after(&closed(), Event::MissedInvalidation, NOW)] {
        let held = after(&record, write, NOW);
        assert!(!held.probe_is_due(NOW + 4_499) && held.probe_is_due(NOW + 4_500), "{record:?}");
        assert_eq!(next(&held, Event::ProbeSucceeded { token: "a", run_id: "r1" }, NOW, RESET), None);
        assert_eq!(next(&held, Event::UnfencedWrite { until_ms: NOW + 4_500, unfit: None }, NOW + 500, RESET), None);
    }
}

#[test]
fn a_redis_that_missed_a_drain_comes_back_in_a_new_epoch() {
    let half_open = Record { state: State::HalfOpen { probe: "a".into(), lease_until_ms: NOW }, ..closed() };
    let drained_to_another = after(&half_open, Event::AnotherRedis { run_id: "r2" }, NOW);
    let open = after(&drained_to_another, Event::MissedInvalidation, NOW);
    let probing = after(&open, Event::ProbeOffered { token: "b" }, NOW + 1_000);
    let back = after(&probing, Event::ProbeSucceeded { token: "b", run_id: "r1" }, NOW + 1_000);
    assert!(back.epoch > closed().epoch);
}

#[test]
fn a_failed_probe_waits_for_another_reset() {
    let half_open = Record { state: State::HalfOpen { probe: "a".into(), lease_until_ms: NOW }, ..closed() };
    let open = after(&half_open, Event::ProbeFailed { token: "a", longest: LONGEST, unfit: None }, NOW);
    assert!(!open.probe_is_due(NOW + 59_999) && open.probe_is_due(NOW + 60_000));
}

#[test]
fn one_instance_alone_does_not_take_the_cache_from_the_others() {
    let suspected = after(&closed(), FIRST, NOW);
    assert!(suspected.admits());
    assert_eq!(next(&suspected, FIRST, NOW + 119_999, RESET), None, "the same instance is no second voter");
    assert_eq!(suspected.failures_to_vote("first", 3, NOW, RESET), 3);
    assert_eq!(suspected.failures_to_vote("second", 3, NOW + 119_999, RESET), 1, "one failure confirms a vote");
    assert_eq!(next(&suspected, SECOND, NOW + 499, RESET), None, "others have not had the time to object");
    assert!(!after(&suspected, SECOND, NOW + 500).admits());
    assert!(!after(&suspected, SECOND, NOW + 60_499).admits(), "the voter that was too early, after its cooldown");
    assert!(!after(&suspected, SECOND, NOW + 119_999).admits());
    // An old vote is none.
    assert_eq!(suspected.failures_to_vote("second", 3, NOW + 120_000, RESET), 3);
    assert!(after(&suspected, SECOND, NOW + 120_000).admits());
}

#[test]
fn an_instance_that_reaches_redis_clears_the_vote() {
    let suspected = after(&closed(), FIRST, NOW);
    let cleared = after(&suspected, Event::Answering, NOW + 499);
    assert_eq!(cleared, closed());
    assert!(after(&cleared, SECOND, NOW + 500).admits(), "the next vote is a first one again");
    assert_eq!(next(&closed(), Event::Answering, NOW, RESET), None);
    assert_eq!(next(&opened(), Event::Answering, NOW, RESET), None, "an open breaker is let in by a probe alone");
}

#[test]
fn a_quarantine_needs_no_second_vote() {
    assert!(!after(&closed(), Event::MissedInvalidation, NOW).admits());
    assert!(!after(&closed(), Event::UnfencedWrite { until_ms: NOW, unfit: None }, NOW).admits());
}

#[test]
fn probes_that_keep_failing_come_less_often_down_to_a_bound() {
    let mut record = opened();
    let mut waits = Vec::new();
    for _ in 0..40 {
        let now = record.since_ms + 3_600_000;
        let half_open = after(&record, Event::ProbeOffered { token: "a" }, now);
        record = after(&half_open, Event::ProbeFailed { token: "a", longest: LONGEST, unfit: None }, now);
        let State::Open { retry_at_ms } = record.state else { panic!("{record:?}") };
        waits.push((retry_at_ms - now) / 1_000);
    }
    assert_eq!(waits[..4], [60, 120, 240, 300]);
    assert!(waits[4..].iter().all(|wait| *wait == 300));
    let half_open = after(&record, Event::ProbeOffered { token: "a" }, u64::MAX / 2);
    let back = after(&half_open, Event::ProbeSucceeded { token: "a", run_id: "r1" }, NOW);
    assert_eq!(back.failed_probes, 0);
    assert_eq!(grown_reset_ms(Duration::from_secs(3_600), LONGEST, 9), 3_600_000, "a longer reset stays as it is");
}

#[test]
fn forced_open_stays_until_another_order() {
    let forced = after(&closed(), Event::Ordered { mode: Mode::ForcedOpen, over_ms: NOW }, NOW);
    assert!(!forced.admits() && !forced.probe_is_due(NOW + 1_000_000_000));
    assert_eq!(forced.left_ms, NOW);
    for event in [FIRST, Event::MissedInvalidation, Event::UnfencedWrite { until_ms: NOW + 1, unfit: None }] {
        assert_eq!(next(&forced, event, NOW, RESET), None);
    }
    // Writes that count on no probe are over before there is one.
    let back = after(&forced, Event::Ordered { mode: Mode::Auto, over_ms: NOW + 4_000 }, NOW);
    assert!(!back.admits() && !back.probe_is_due(NOW + 3_999) && back.probe_is_due(NOW + 4_000));
}

#[test]
fn forced_closed_and_observe_open_for_a_missed_invalidation_alone() {
    for mode in [Mode::ForcedClosed, Mode::Observe] {
        let record = after(&closed(), Event::Ordered { mode, over_ms: NOW }, NOW);
        assert!(record.admits());
        assert_eq!(next(&record, FIRST, NOW, RESET), None);
        let open = after(&record, Event::MissedInvalidation, NOW);
        assert!(!open.admits() && open.mode == mode);
    }
}

#[test]
fn a_mode_is_told_by_the_name_that_it_is_ordered_by() {
    for mode in [Mode::Auto, Mode::ForcedOpen, Mode::ForcedClosed, Mode::Observe] {
        assert_eq!(serde_json::to_value(mode).expect("serializes"), mode.name());
    }
}

#[test]
fn an_order_to_close_has_the_cache_tried_soon() {
    let order = Event::Ordered { mode: Mode::ForcedClosed, over_ms: NOW + 4_000 };
    let open = after(&opened(), order, NOW);
    assert!(!open.admits() && open.probe_is_due(NOW + 4_000));
}

#[test]
fn an_instance_leaves_redis_alone_after_its_vote_until_a_reset_or_a_later_record() {
    let suspected = after(&closed(), FIRST, NOW);
    let bar = Cooldown::new(&suspected, Duration::from_secs(1), RESET);
    assert!(bar.holds(&suspected, Duration::from_secs(60)));
    assert!(!bar.holds(&suspected, Duration::from_secs(61)));
    assert!(!bar.holds(&Record { since_ms: NOW, ..suspected.clone() }, Duration::from_secs(2)));
    assert!(!bar.holds(&Record { mode: Mode::Observe, ..suspected }, Duration::from_secs(2)));
}

#[test]
fn commands_that_fail_in_the_same_stall_are_one_failure() {
    let at = Duration::from_millis;
    let mut failures = Failures::default();
    assert_eq!(failures.count(at(0), at(50)), 1);
    assert_eq!(failures.count(at(10), at(60)), 1);
    assert_eq!(failures.count(at(49), at(99)), 1);
    assert_eq!(failures.count(at(50), at(100)), 2);
    assert_eq!(failures.count(at(120), at(170)), 3);
    failures.forget();
    assert_eq!(failures.count(at(200), at(250)), 1);
}

#[test]
fn the_first_record_is_open_and_due() {
    let first = Record::initial(NOW);
    assert!(!first.admits() && first.probe_is_due(NOW));
    let text = serde_json::to_string(&first).expect("serializes");
    assert_eq!(serde_json::from_str::<Record>(&text).expect("reads back"), first);
}

#[test]
fn a_lease_is_renewed_in_its_second_half_and_then_lapses() {
    let lease = Lease::new(closed(), Duration::from_millis(1_000));
    let state = |ms| lease.state(Duration::from_millis(ms), Duration::from_millis(500));
    assert_eq!(state(1_249), LeaseState::Valid);
    assert_eq!(state(1_250), LeaseState::RenewSoon);
    assert_eq!(state(1_499), LeaseState::RenewSoon);
    assert_eq!(state(1_500), LeaseState::Lapsed);
}

proptest! {
    /// Whatever happens in whatever order, the cache is admitted only through a probe that succeeded, and the epoch
    /// never goes back.
    #[test]
    fn it_closes_through_a_successful_probe_alone(steps in proptest::collection::vec((0_u8..12, 0_u64..100_000), 1..60)) {
        let mut record = Record::initial(NOW);
        let mut now = NOW;
        for (step, pause) in steps {
            now += pause;
            let event = match step {
                0 => FIRST,
                7 => SECOND,
                8 => Event::Answering,
                9 => Event::Ordered { mode: Mode::ForcedOpen, over_ms: now },
                10 => Event::Ordered { mode: Mode::Auto, over_ms: now },
                11 => Event::UnfencedWrite { until_ms: now + 4_000, unfit: None },
                1 => Event::MissedInvalidation,
                2 => Event::AnotherRedis { run_id: "r3" },
                3 => Event::ProbeOffered { token: "a" },
                4 => Event::ProbeSucceeded { token: "a", run_id: "r1" },
                5 => Event::ProbeSucceeded { token: "b", run_id: "r2" },
                _ => Event::ProbeFailed { token: "a", longest: LONGEST, unfit: None },
            };
            if let Some(changed) = next(&record, event, now, RESET) {
                prop_assert!(changed.epoch >= record.epoch);
                if changed.admits() && !record.admits() {
                    let was_probing = matches!(record.state, State::HalfOpen { .. });
                    let succeeded = matches!(event, Event::ProbeSucceeded { .. });
                    prop_assert!(was_probing && succeeded);
                }
                record = changed;
            }
        }
    }
}
