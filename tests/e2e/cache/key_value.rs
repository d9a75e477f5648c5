//! The key-value store locked by another process, removed and damaged: the cache may be out of use, and nothing fails.

use serde_json::json;

use crate::support::outages::BRISK;
use crate::support::{Cache, Place, Private, eventually, trials};

trials![
    a_store_that_is_locked_fails_no_request_and_is_used_again,
    a_store_that_is_removed_fails_no_request,
    a_store_that_is_damaged_fails_no_request,
];

fn warm(own: &Private) -> Place {
    let place = Place::of(own.tenant());
    eventually("a hit", || (place.who.get(&place.property_path()).is(200).cache() == Cache::Hit).then_some(()));
    place
}

/// Writes and reads in turns; every read shows the write before it.
fn write_and_read(place: &Place, rounds: usize) {
    for round in 0..rounds {
        let address = format!("{round} Main St");
        place.who.put(&place.property_path(), &json!({ "address": address })).is(200);
        assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], address);
    }
}

/// Each operation on the store waits for the lock until SQLite gives up (5 s), and blocks its instance.
fn a_store_that_is_locked_fails_no_request_and_is_used_again() {
    const READS: usize = 20;
    let own = Private::with(&BRISK);
    let place = warm(&own);
    let lock = own.lock_key_value_store();
    write_and_read(&place, 1);
    for _ in 0..READS {
        let answer = place.who.get(&place.property_path()).is(200);
        assert_eq!((answer.cache(), answer.json()["address"].as_str()), (Cache::Bypass, Some("0 Main St")));
    }
    own.await_logged("database is locked");
    let log = std::fs::read_to_string(own.log()).expect("a log");
    let waited = log.lines().filter(|line| line.contains("database is locked")).count();
    // Whichever operation of an instance has waited, a read, a write or the counts, the others do without.
    assert!((1..READS).contains(&waited), "for {READS} reads the log tells {waited} times of the lock");
    drop(lock);
    eventually("the cache is used again", || {
        let answer = place.who.get(&place.property_path()).is(200);
        assert_eq!(answer.json()["address"], "0 Main St", "older data came back");
        (answer.cache() == Cache::Hit).then_some(())
    });
    write_and_read(&place, 3);
}

/// The host goes on with the file that it has open; SQLite refuses to change it.
fn a_store_that_is_removed_fails_no_request() {
    let mut own = Private::with(&BRISK);
    let place = warm(&own);
    own.remove_key_value_store();
    write_and_read(&place, 20);
    own.redis().kill();
    write_and_read(&place, 3);
}

fn a_store_that_is_damaged_fails_no_request() {
    let own = Private::with(&BRISK);
    let place = warm(&own);
    own.break_key_value_store();
    write_and_read(&place, 20);
}
