//! Failover with the files of production: who is behind the one address, and when.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use stack::{Failover, Redis};

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

/// One inline command, and what comes back.
fn ask(redis: &Redis, command: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).expect("connected");
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

/// Sentinel counts `PONG`, `LOADING` and `MASTERDOWN` for an answer to its PING, and nothing else (`sentinel.c`, 7.0.15).
#[test]
fn a_master_whose_disk_is_full_is_replaced_and_taken_back_as_a_replica_when_there_is_room() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut failover = Failover::start(dir.path()).expect("the servers start");
    failover.redis(0).fill_disk(true).expect("a full disk");
    eventually("its file cannot be written", || {
        ask(failover.redis(0), "SET RentTracker_~full x PX 60000");
        ask(failover.redis(0), "PING").starts_with("-MISCONF")
    });
    let info = failover.redis(0).info("persistence").unwrap_or_default();
    assert!(info.is_empty(), "a PING is answered: {info}");
    assert!(ask(failover.redis(0), "INFO persistence").contains("aof_last_write_status:err"));
    eventually("the replica is the master", || failover.master().is_ok_and(|master| master == 1));
    failover.redis(0).fill_disk(false).expect("room");
    eventually("the old master is a replica", || failover.is_replica(0));
    assert_eq!(failover.master().expect("an answer"), 1);
}
