//! PostgreSQL goes back: its disk of before is put back, or a standby that lacks the last commits takes its place. And it is
//! restarted, which loses nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use stack::Postgres;

use crate::support::{Cache, Place, Private, Tenant, World, eventually, trials};

trials![
    a_restored_disk_serves_no_entry_of_later_rows,
    a_promoted_standby_serves_no_entry_of_lost_commits,
    a_dump_restored_in_place_serves_no_entry_of_later_rows,
    a_restart_keeps_what_is_cached,
    a_crash_of_postgresql_moves_the_epoch,
];

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status().expect("cp runs");
    assert!(status.success(), "cp {} {}", from.display(), to.display());
}

/// Stops the server, copies its data, and starts it again: the copy.
fn copy_of(postgres: &mut Postgres) -> PathBuf {
    postgres.stop();
    let copy_at = postgres.data_dir().join("copy");
    copy(&postgres.data_dir().join("data"), &copy_at);
    postgres.restart().expect("PostgreSQL comes back");
    copy_at
}

/// Stops the server, and puts the copy in the place of its data.
fn put_back(postgres: &mut Postgres, copy_at: &Path) -> PathBuf {
    postgres.stop();
    let data = postgres.data_dir().join("data");
    std::fs::remove_dir_all(&data).expect("the data");
    copy(copy_at, &data);
    data
}

fn address(who: &Tenant, path: &str) -> (String, Cache) {
    let seen = who.get(path).is(200);
    (seen.json()["address"].as_str().expect("an address").to_owned(), seen.cache())
}

#[track_caller]
fn await_address(who: &Tenant, path: &str, expected: &str) {
    eventually(&format!("a hit with {expected}"), || {
        (address(who, path) == (expected.to_owned(), Cache::Hit)).then_some(())
    });
}

/// A landlord's property, once before the copy and once after it, in the cache as it is after it.
fn changed_after(own: &Private, between: impl FnOnce()) -> Place {
    let place = Place::of(own.tenant());
    let path = place.property_path();
    place.who.put(&path, &json!({ "address": "before the copy" })).is(200);
    await_address(&place.who, &path, "before the copy");
    between();
    eventually("PostgreSQL answers again", || (own.get("/readyz").status == 200).then_some(()));
    place.who.put(&path, &json!({ "address": "after the copy" })).is(200);
    await_address(&place.who, &path, "after the copy");
    place
}

/// Nobody but readers, whom the cache answers, and still it is noticed. From then on nothing of what is lost is told.
fn nothing_newer_is_told(own: &Private, place: &Place, before: u64) {
    let path = place.property_path();
    eventually("the epoch moves", || {
        place.who.get(&path).is(200);
        (own.epoch() > before).then_some(())
    });
    let (_host, other) = own.another_host();
    let there: Tenant = World::tenant_named(&other, &place.who.id);
    // An instance acts on the record of before for one lease.
    eventually("the lease is over", || (address(&place.who, &path).0 == "before the copy").then_some(()));
    for _ in 0..200 {
        for who in [&place.who, &there] {
            assert_eq!(address(who, &path).0, "before the copy");
        }
    }
    await_address(&place.who, &path, "before the copy");
    place.who.put(&path, &json!({ "address": "after all" })).is(200);
    assert_eq!(address(&there, &path).0, "after all");
}

pub fn a_restored_disk_serves_no_entry_of_later_rows() {
    let (mut postgres, own) = Private::with_postgres(&[]);
    let mut copied = PathBuf::new();
    let place = changed_after(&own, || copied = copy_of(&mut postgres));
    let before = own.epoch();
    put_back(&mut postgres, &copied);
    postgres.restart().expect("PostgreSQL comes back");
    nothing_newer_is_told(&own, &place, before);
}

/// The copy is what the standby has.
pub fn a_promoted_standby_serves_no_entry_of_lost_commits() {
    let (mut postgres, own) = Private::with_postgres(&[]);
    let mut copied = PathBuf::new();
    let place = changed_after(&own, || copied = copy_of(&mut postgres));
    let data = put_back(&mut postgres, &copied);
    std::fs::write(data.join("standby.signal"), "").expect("the file that makes a standby");
    postgres.restart().expect("the standby starts");
    is_not_read(&own, &own.tenant());
    let before = own.epoch();
    own.query("SELECT pg_promote()", &[]);
    nothing_newer_is_told(&own, &place, before);
}

/// A standby may lack what others know already.
fn is_not_read(own: &Private, who: &Tenant) {
    eventually("the standby answers", || {
        (own.get("/api/health").is(503).json()["database"] == "ReadOnly").then_some(())
    });
    who.get("/api/properties").problem(503);
}

/// Emptied and filled again, as `pg_restore --clean` and `TRUNCATE` before `COPY` do it: no restart, and the WAL goes on.
fn a_dump_restored_in_place_serves_no_entry_of_later_rows() {
    let (_postgres, own) = Private::with_postgres(&[]);
    let copies = "CREATE TABLE copy_of_properties AS SELECT tenant_id, id, address, row_version FROM properties";
    let place = changed_after(&own, || {
        own.execute(copies, &[]);
    });
    let before = own.epoch();
    let restore = "BEGIN; TRUNCATE properties CASCADE; \
        INSERT INTO properties (tenant_id, id, address, row_version) SELECT * FROM copy_of_properties; COMMIT";
    own.sql().batch_execute(restore).expect("the dump");
    nothing_newer_is_told(&own, &place, before);
}

fn a_restart_keeps_what_is_cached() {
    let (mut postgres, own) = Private::with_postgres(&[]);
    let place = changed_after(&own, || postgres.restart().expect("PostgreSQL comes back"));
    let before = own.epoch();
    postgres.restart().expect("PostgreSQL comes back");
    let path = place.property_path();
    // Whoever writes in the new run has it asked for before the answer.
    eventually("a write", || {
        let answer = place.who.post("/api/properties", &json!({ "address": "another" }));
        (answer.status == 201).then_some(())
    });
    assert_eq!(address(&place.who, &path), ("after the copy".into(), Cache::Hit));
    assert_eq!(own.epoch(), before);
}

/// A snapshot of the disk that is put back looks the same: recovered, and no further than it was.
fn a_crash_of_postgresql_moves_the_epoch() {
    let (mut postgres, own) = Private::with_postgres(&[]);
    let place = changed_after(&own, || ());
    let before = own.epoch();
    postgres.kill();
    postgres.restart().expect("PostgreSQL comes back");
    eventually("a write", || {
        let answer = place.who.post("/api/properties", &json!({ "address": "another" }));
        (answer.status == 201).then_some(())
    });
    assert!(own.epoch() > before);
}
