//! The breaker's record in PostgreSQL (`breaker_store = database`): the trials of other suites that depend on the record, and what is
//! otherwise there. Hosts in this suite may have a key-value store each.

use serde_json::{Value, json};

use super::breaker::NOWHERE;
use super::{breaker, load, outage};
use crate::operations::breaker_orders;
use crate::platform::restored_database;
use crate::support::record_store::in_the_database;
use crate::support::{Cache, Place, Private, World, eventually, trials};

trials![
    two_hosts_that_start_at_once_agree_on_one_record,
    a_lost_redis_opens_the_breaker_for_all_hosts_until_it_is_back,
    one_host_probes_at_a_time,
    forced_open_sends_redis_nothing_and_auto_uses_it_again,
    a_property_changed_while_redis_slept_is_never_stale,
    no_request_fails_while_redis_is_killed_and_restarted,
    postgres_stopped_is_503_and_comes_back,
    a_restored_disk_serves_no_entry_of_later_rows,
    a_write_that_cannot_invalidate_bars_a_host_with_another_key_value_store_at_once,
    with_the_record_in_a_key_value_store_each_that_host_serves_a_stale_row,
    the_clocks_of_the_hosts_do_not_matter,
    a_record_that_cannot_be_read_bypasses_the_cache,
    a_write_that_can_reach_neither_redis_nor_the_record_is_not_answered,
    a_restart_of_postgresql_keeps_an_order_and_moves_the_epoch,
    two_deployments_in_one_database_have_a_record_each,
    a_record_of_another_version_is_made_anew,
    hits_under_one_lease_cost_no_statement,
    a_drain_through_a_redis_that_was_replaced_meanwhile_removes_no_row,
];

fn two_hosts_that_start_at_once_agree_on_one_record() {
    in_the_database(breaker::two_hosts_that_start_at_once_agree_on_one_record);
}

fn a_lost_redis_opens_the_breaker_for_all_hosts_until_it_is_back() {
    in_the_database(breaker::a_lost_redis_opens_the_breaker_for_all_hosts_until_it_is_back);
}

fn one_host_probes_at_a_time() {
    in_the_database(breaker::one_host_probes_at_a_time);
}

fn forced_open_sends_redis_nothing_and_auto_uses_it_again() {
    in_the_database(breaker_orders::forced_open_sends_redis_nothing_and_auto_uses_it_again);
}

fn a_property_changed_while_redis_slept_is_never_stale() {
    in_the_database(outage::a_property_changed_while_redis_slept_is_never_stale);
}

fn no_request_fails_while_redis_is_killed_and_restarted() {
    in_the_database(load::no_request_fails_while_redis_is_killed_and_restarted);
}

fn postgres_stopped_is_503_and_comes_back() {
    in_the_database(outage::postgres_stopped_is_503_and_comes_back);
}

fn a_restored_disk_serves_no_entry_of_later_rows() {
    in_the_database(restored_database::a_restored_disk_serves_no_entry_of_later_rows);
}

/// A breaker that tries again soon, and waits for Redis as the tests do: what it answers is looked at answer by answer.
const SOON: [(&str, &str); 2] = [("breaker_reset_seconds", "1"), ("breaker_max_reset_seconds", "1")];
/// `breaker_lease_ms`: how long an instance goes by the record that it has read.
const LEASE: std::time::Duration = std::time::Duration::from_millis(500);
/// Where the record is, and that a busy machine is waited for.
const STORE: [(&str, &str); 2] = [("breaker_store", "database"), ("key_value_timeout_ms", "1000")];

/// A private world whose record is in PostgreSQL, with these variables set otherwise besides.
fn own(changes: &[(&str, &str)]) -> Private {
    Private::with(&[&SOON[..], &STORE, changes].concat())
}

fn told(world: &World) -> Value {
    world.administrator().get("/api/cache/breaker").is(200).json()
}

fn seen(place: &Place) -> (String, Cache) {
    let answer = place.who.get(&place.property_path()).is(200);
    (answer.json()["address"].as_str().expect("an address").to_owned(), answer.cache())
}

/// A property in the cache of `own`, which another host replaces that cannot reach Redis: what a read shows right after.
fn after_a_write_elsewhere(own: &Private) -> (String, Cache) {
    let (_host, cut) = own.host_apart(&NOWHERE);
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    cut.tenant_named(&place.who.id).put(&place.property_path(), &json!({ "address": "2 Main St" })).is(200);
    seen(&place)
}

fn a_write_that_cannot_invalidate_bars_a_host_with_another_key_value_store_at_once() {
    for _ in 0..3 {
        assert_eq!(after_a_write_elsewhere(&own(&[])), ("2 Main St".into(), Cache::Bypass));
    }
}

/// What the variable is for.
fn with_the_record_in_a_key_value_store_each_that_host_serves_a_stale_row() {
    let own = Private::with(&[&SOON[..], &[("breaker_store", "key-value")]].concat());
    assert_eq!(after_a_write_elsewhere(&own), ("1 Main St".into(), Cache::Hit));
}

/// Has PostgreSQL's clock, as the record's times are told by it, go ahead of the hosts' by an hour.
const AN_HOUR_AHEAD: &str = "CREATE OR REPLACE FUNCTION breaker_clock_ms() RETURNS bigint LANGUAGE sql VOLATILE
    AS 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint + 3600000'";

/// By the hosts' clocks no probe would be due for an hour, and no write without a fence would be held open for.
fn the_clocks_of_the_hosts_do_not_matter() {
    let mut own = own(&[]);
    own.sql().batch_execute(AN_HOUR_AHEAD).expect("a clock");
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    own.redis().kill();
    place.who.put(&place.property_path(), &json!({ "address": "2 Main St" })).is(200);
    let time = |told: &Value, name: &str| {
        chrono::DateTime::parse_from_rfc3339(told[name].as_str().expect("a time")).expect("a time")
    };
    let open = told(&own);
    let opened_at = time(&open, "since");
    assert!(opened_at > chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()), "{open}");
    // For as long as its statement may take, and its lease.
    assert!((time(&open, "retryAt") - opened_at).num_milliseconds() >= 2_000, "{open}");
    own.redis().restart().expect("Redis comes back");
    eventually("the cache is used again", || (seen(&place) == ("2 Main St".into(), Cache::Hit)).then_some(()));
}

fn a_record_that_cannot_be_read_bypasses_the_cache() {
    let own = own(&[]);
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    own.execute("REVOKE EXECUTE ON FUNCTION breaker_record(text) FROM renttracker_app", &[]);
    eventually("an instance has no lease", || (seen(&place).1 == Cache::Bypass).then_some(()));
    std::thread::sleep(LEASE);
    for _ in 0..20 {
        assert_eq!(seen(&place).1, Cache::Bypass);
    }
    assert_eq!(own.get("/api/health").is(200).json()["status"], "Degraded");
    own.execute("GRANT EXECUTE ON FUNCTION breaker_record(text) TO renttracker_app", &[]);
    place.who.await_hit(&place.property_path());
}

/// With a key-value store such a write is answered, and a host that still reads the record may serve what was before.
fn a_write_that_can_reach_neither_redis_nor_the_record_is_not_answered() {
    let own = own(&[]);
    let (_host, cut) = own.host_apart(&NOWHERE);
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    let swap = "swap_breaker_record(text, text, text, text, bigint)";
    own.execute(&format!("REVOKE EXECUTE ON FUNCTION {swap} FROM renttracker_app"), &[]);
    let there = cut.tenant_named(&place.who.id);
    let answer = there.put(&place.property_path(), &json!({ "address": "2 Main St" }));
    answer.problem(503);
    assert_eq!(seen(&place), ("1 Main St".into(), Cache::Hit), "nothing was written, and nothing is barred");
    own.execute(&format!("GRANT EXECUTE ON FUNCTION {swap} TO renttracker_app"), &[]);
    there.put(&place.property_path(), &json!({ "address": "2 Main St" })).is(200);
    assert_eq!(seen(&place).0, "2 Main St");
}

/// The record cannot show that it went back together with the rows: so each start counts as one where it did.
fn a_restart_of_postgresql_keeps_an_order_and_moves_the_epoch() {
    let (mut postgres, own) = Private::with_postgres(&STORE);
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    let operator = own.administrator();
    operator.put("/api/cache/breaker", &json!({ "mode": "forced_closed" })).is(200);
    let before = own.epoch();
    postgres.restart().expect("PostgreSQL comes back");
    let after = eventually("the epoch moves", || {
        let answer = operator.get("/api/cache/breaker");
        (answer.status == 200).then(|| answer.json()).filter(|told| told["epoch"].as_u64() > Some(before))
    });
    assert_eq!((after["mode"].as_str(), after["state"].as_str()), (Some("forced_closed"), Some("closed")));
    place.who.await_hit(&place.property_path());
    assert_eq!(own.epoch(), after["epoch"].as_u64().expect("an epoch"), "it moves once");
}

fn two_deployments_in_one_database_have_a_record_each() {
    let own = own(&[]);
    let (_host, other) = own.another_host_with(&[("redis_instance_name", "Other_")]);
    own.administrator().put("/api/cache/breaker", &json!({ "mode": "forced_open" })).is(200);
    other.administrator().put("/api/cache/breaker", &json!({ "mode": "observe" })).is(200);
    assert_eq!((told(&own)["mode"].as_str(), told(&other)["mode"].as_str()), (Some("forced_open"), Some("observe")));
    assert_eq!(own.query("SELECT namespace FROM breaker_records", &[]).len(), 2);
}

fn a_record_of_another_version_is_made_anew() {
    let own = own(&[]);
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    own.execute("UPDATE breaker_records SET record = '{\"state\":\"unheard of\"}'", &[]);
    eventually("the record is read again", || {
        let text: String = own.query("SELECT record FROM breaker_records", &[])[0].get(0);
        let told = place.who.get(&place.property_path()).is(200);
        assert_eq!(told.json()["address"], "1 Main St");
        (!text.contains("unheard of")).then_some(())
    });
    place.who.await_hit(&place.property_path());
}

/// The statement is the lease's, not the hit's: twice in a lease an instance, while it has requests.
fn hits_under_one_lease_cost_no_statement() {
    const HITS: i64 = 300;
    let own = own(&[("breaker_lease_ms", "10000")]);
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    let before = own.record_reads();
    for _ in 0..HITS {
        assert_eq!(seen(&place).1, Cache::Hit);
    }
    let reads = own.record_reads() - before;
    println!("the record in PostgreSQL: {HITS} hits, {reads} reads of the record");
    assert!(reads < HITS / 10, "{reads} reads of the record for {HITS} hits");
}

/// The drain begins while its Redis is trusted. When it is about to remove the rows, another Redis is, which may have entries from before
/// them.
fn a_drain_through_a_redis_that_was_replaced_meanwhile_removes_no_row() {
    let own = own(&[]);
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    let operator = own.administrator();
    let drain = || operator.request("POST", "/api/cache/drain").send().status;
    let mut sql = own.sql();
    let mut transaction = sql.transaction().expect("a transaction");
    transaction.batch_execute("LOCK TABLE cache_invalidations IN ACCESS EXCLUSIVE MODE").expect("a lock");
    std::thread::scope(|scope| {
        let drained = scope.spawn(drain);
        let waits = "SELECT FROM pg_stat_activity WHERE query ~ 'outbox_oldest' AND wait_event_type = 'Lock'";
        eventually("it waits for the rows", || (own.query(waits, &[]).len() == 1).then_some(()));
        let left = "INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES ($1, gen_random_uuid(), $2)";
        let resources = vec![format!("property:{}", place.property)];
        transaction.execute(left, &[&place.who.id, &resources]).expect("a row");
        let replaced = "UPDATE breaker_records SET record = jsonb_set(record::jsonb, '{run_id}', '\"another\"')::text";
        assert_eq!(transaction.execute(replaced, &[]).expect("a record"), 1);
        transaction.commit().expect("it commits");
        assert_eq!(drained.join().expect("an answer"), 503);
    });
    // A reader whose lease ends finds that the Redis that is there is another one, and has it trusted again.
    eventually("the drain ends", || {
        place.who.get(&place.property_path()).is(200);
        (drain() == 200).then_some(())
    });
    place.who.await_hit(&place.property_path());
}
