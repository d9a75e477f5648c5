//! A lock is nobody's for longer than its reader needs it, whatever Redis does meanwhile; and what is no entry is not fetched.
//!
//! What other readers wait for is told by commands: one that finds a lock looks again and again for three seconds and stores
//! nothing.

use std::thread;

use serde_json::json;

use crate::support::{Cache, Place, Private, World, eventually, trials};

trials![
    a_lookup_that_is_answered_late_leaves_no_lock,
    a_warming_that_is_answered_late_leaves_no_lock,
    a_leader_whose_connection_breaks_leaves_no_lock,
    a_fence_that_has_run_out_goes_with_the_next_leader,
    a_value_of_twenty_megabytes_is_not_fetched_and_no_reader_waits,
    a_page_of_twenty_megabytes_is_discarded_and_no_reader_waits,
    a_list_of_foreign_pages_costs_one_name,
];

const WAITS: &str = "renttracker_cache_lock_waits_total";
const LARGE: usize = 20_000_000;
/// What two readers may fetch where such a value lies, in bytes: an entry at its largest (257 KB), in base64 by REST, twice.
const FETCHED: u64 = 1_000_000;

/// A world whose Redis is left alone by nobody: lost answers are what these trials are about.
fn own() -> Private {
    Private::with(&[("redis_timeout_ms", "1000"), ("breaker_threshold", "100")])
}

/// A landlord with a property and a payment, through an instance that knows its Redis.
fn place(own: &Private) -> Place {
    let place = Place::of(own.tenant());
    eventually("the cache is used", || {
        (place.who.get(&place.payment_path()).is(200).cache() == Cache::Hit).then_some(())
    });
    eventually("nothing is left to do", || own.query("SELECT FROM cache_invalidations", &[]).is_empty().then_some(()));
    place
}

/// How many locks were given back. It takes `fill.lua` to remove a field here; instances send scripts of their own, with counts, at any
/// time.
fn given_back(own: &World) -> u64 {
    let info: String = own.redis_command(&["INFO", "commandstats"]);
    let calls = |line: &str| line.strip_prefix("cmdstat_hdel:calls=")?.split(',').next()?.parse().ok();
    info.lines().find_map(calls).unwrap_or(0)
}

/// How many bytes Redis has sent.
fn sent(own: &World) -> u64 {
    let info: String = own.redis_command(&["INFO", "stats"]);
    let line = info.lines().find_map(|line| line.strip_prefix("total_net_output_bytes:"));
    line.and_then(|line| line.trim().parse().ok()).expect("a number")
}

fn lock_of(own: &World, place: &Place, rest: &str) -> String {
    format!("lock:{}", own.key(&place.who, rest))
}

fn exists(own: &World, key: &str) -> bool {
    own.redis_command(&["EXISTS", key])
}

/// Has Redis keep whatever may write waiting (`CLIENT PAUSE … WRITE`, since 6.2: scripts too) while `ask` asks, and lets it
/// go. Then the script that was late runs, and behind it the one that gives its lock back.
#[track_caller]
fn while_scripts_wait(own: &Private, ask: impl FnOnce()) {
    let before = given_back(own);
    let _: () = own.redis_command(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    ask();
    let _: () = own.redis_command(&["CLIENT", "UNPAUSE"]);
    eventually("the lock is given back", || (given_back(own) == before + 1).then_some(()));
}

fn a_lookup_that_is_answered_late_leaves_no_lock() {
    let own = own();
    let place = place(&own);
    let (_host, other) = own.another_host();
    for (route, rest) in [
        (place.property_path(), format!("property:{}", place.property)),
        ("/api/properties".into(), "property:list".into()),
    ] {
        while_scripts_wait(&own, || assert_eq!(place.who.get(&route).is(200).cache(), Cache::Bypass));
        assert!(!exists(&own, &lock_of(&own, &place, &rest)), "{route}: the lock is still there");
        let there = other.tenant_named(&place.who.id);
        assert_eq!(there.get(&route).is(200).cache(), Cache::Stored, "{route}");
    }
    assert_eq!(own.metric(WAITS), 0, "somebody has waited for a lock");
}

fn a_warming_that_is_answered_late_leaves_no_lock() {
    let own = own();
    let place = place(&own);
    let warm = || {
        own.administrator().post("/api/cache/warm", &json!({ "tenants": [place.who.id] })).problem(409);
    };
    while_scripts_wait(&own, warm);
    assert!(!exists(&own, &lock_of(&own, &place, "property:list")), "the lock is still there");
    assert_eq!(place.who.get("/api/properties").is(200).cache(), Cache::Stored);
}

/// The leader reads PostgreSQL, and is held up there, while its connection breaks off: what it would store is lost, and so is
/// its lock, were it not given back by another connection.
fn a_leader_whose_connection_breaks_leaves_no_lock() {
    let own = own();
    let place = place(&own);
    let (path, lock) = (place.property_path(), lock_of(&own, &place, &format!("property:{}", place.property)));
    let before = given_back(&own);
    let mut sql = own.sql();
    let mut transaction = sql.transaction().expect("a transaction");
    transaction.batch_execute("LOCK TABLE properties IN ACCESS EXCLUSIVE MODE").expect("a lock");
    thread::scope(|scope| {
        let reader = scope.spawn(|| place.who.get(&path).is(200).cache());
        eventually("it is the leader", || exists(&own, &lock).then_some(()));
        let killed: u64 = own.redis_command(&["CLIENT", "KILL", "TYPE", "normal"]);
        assert!(killed > 0, "nobody was connected");
        transaction.rollback().expect("it is given back");
        assert_eq!(reader.join().expect("an answer"), Cache::Unstored);
    });
    eventually("the lock is given back", || (given_back(&own) == before + 1).then_some(()));
    assert!(!exists(&own, &lock), "the lock is still there");
    assert_eq!(place.who.get(&path).is(200).cache(), Cache::Stored);
}

/// Each leader would keep the key, and what is in it, for as long as its own lock.
fn a_fence_that_has_run_out_goes_with_the_next_leader() {
    let own = own();
    let place = place(&own);
    let (path, lock) = (place.property_path(), lock_of(&own, &place, &format!("property:{}", place.property)));
    let _: u64 = own.redis_command(&["HSET", &lock, "fence:of-a-write", "1"]);
    let _: u64 = own.redis_command(&["PEXPIRE", &lock, "600000"]);
    assert_eq!(place.who.get(&path).is(200).cache(), Cache::Stored);
    assert!(!exists(&own, &lock), "the fence is still there");
}

fn a_value_of_twenty_megabytes_is_not_fetched_and_no_reader_waits() {
    let own = own();
    let place = place(&own);
    let (path, key) = (place.property_path(), own.key(&place.who, &format!("property:{}", place.property)));
    let _: () = own.redis_command(&["SET", &key, &"x".repeat(LARGE), "PX", "600000"]);
    let before = sent(&own);
    assert_eq!(place.who.get(&path).is(200).cache(), Cache::Stored);
    let fetched = sent(&own) - before;
    assert!(fetched < FETCHED, "{fetched} bytes were fetched");
    assert_eq!(place.who.get(&path).is(200).cache(), Cache::Hit);
    assert_eq!(own.metric(WAITS), 0, "somebody has waited for a lock");
    let rejected = r#"renttracker_cache_rejected_total{reason="too_large"}"#;
    eventually("it was rejected for its size", || (own.metric(rejected) == 1).then_some(()));
}

/// No command reads a field of a hash up to a limit: `redis.conf` bounds what is sent.
fn a_page_of_twenty_megabytes_is_discarded_and_no_reader_waits() {
    let own = own();
    let place = place(&own);
    let (path, key) = ("/api/properties", own.key(&place.who, "property:list"));
    assert_eq!(place.who.get(path).is(200).cache(), Cache::Stored);
    let fields: Vec<String> = own.redis_command(&["HKEYS", &key]);
    let limit = format!("normal {}", crate::cache::maxmemory::setting("client-output-buffer-limit normal"));
    let _: () = own.redis_command(&["CONFIG", "SET", "client-output-buffer-limit", &limit]);
    let _: u64 = own.redis_command(&["HSET", &key, &fields[0], &"x".repeat(LARGE)]);
    let before = sent(&own);
    eventually("a hit", || (place.who.get(path).is(200).cache() == Cache::Hit).then_some(()));
    let fetched = sent(&own) - before;
    assert!(fetched < FETCHED, "{fetched} bytes were fetched");
    let length: usize = own.redis_command(&["HSTRLEN", &key, &fields[0]]);
    assert!((1..LARGE).contains(&length));
    assert_eq!(own.metric(WAITS), 0, "somebody has waited for a lock");
}

fn a_list_of_foreign_pages_costs_one_name() {
    let own = own();
    let place = place(&own);
    let key = own.key(&place.who, "property:list");
    let long = "x".repeat(LARGE);
    for names in [&[&*long][..], &["a", "b", "c"]] {
        let pages: Vec<&str> = names.iter().flat_map(|name| [*name, "page"]).collect();
        let _: u64 = own.redis_command(&[&["HSET", &key], &pages[..]].concat());
        let _: u64 = own.redis_command(&["PEXPIRE", &key, "60000"]);
        let before = sent(&own);
        let told = own.administrator().post("/api/cache/verify", &json!({ "tenant": place.who.id })).is(200).json();
        // The payment is the other.
        assert_eq!((&told["refused"], &told["checked"]), (&json!(1), &json!(1)), "{told}");
        assert!(sent(&own) - before < FETCHED);
        let _: u64 = own.redis_command(&["DEL", &key]);
    }
}
