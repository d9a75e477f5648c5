//! Failover with the files of production: who is behind the one address, and when.

use std::time::{Duration, Instant};

use stack::Failover;

/// Sentinel waits three seconds before it calls a master gone, and ten before it gives one that comes back its new role.
const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !look() {
        assert!(Instant::now() < deadline, "not within {} s: {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_killed_master_is_replaced_behind_the_address_and_comes_back_as_a_replica() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut failover = Failover::start(dir.path()).expect("the servers start");
    assert_eq!(failover.master().expect("an answer"), 0);
    failover.redis(0).kill();
    eventually("the replica is the master", || failover.master().is_ok_and(|master| master == 1));
    failover.redis(0).restart().expect("it comes back");
    // Until Sentinel has told it otherwise it takes itself for the master, too.
    eventually("the old master is a replica", || {
        assert_ne!(failover.master().ok(), Some(0), "the address led to two masters");
        failover.is_replica(0)
    });
}

#[test]
fn a_master_that_was_stopped_is_not_reached_any_more_when_it_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut failover = Failover::start(dir.path()).expect("the servers start");
    failover.redis(0).pause();
    eventually("the replica is the master", || failover.master().is_ok_and(|master| master == 1));
    failover.redis(0).resume();
    let info = failover.redis(0).info("replication").expect("it answers");
    assert!(info.contains("role:master"), "Sentinel was quicker than this test: {info}");
    eventually("the old master is a replica", || {
        assert_ne!(failover.master().ok(), Some(0), "the address led to two masters");
        failover.is_replica(0)
    });
}
