//! `POST /api/cache/verify`: what is in the cache is what PostgreSQL has, and what is not is found.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::{Answer, Cache, Place, Private, Tenant, World, eventually, property_path, trials, world};

trials![
    only_an_administrator_verifies,
    an_invalid_order_is_400,
    a_consistent_cache_is_consistent_page_by_page,
    a_sample_has_the_ordered_size,
    a_row_changed_in_postgresql_alone_is_found_and_its_entry_deleted,
    an_invalidation_that_is_still_in_the_outbox_is_named,
    an_entry_under_a_fence_is_named,
    an_invalid_entry_is_not_counted_as_inconsistent,
    sealed_entries_are_opened_only_by_their_tenants_key,
    concurrent_writes_raise_no_false_alarm,
    an_inconsistency_is_counted_and_logged,
    without_the_cache_it_says_so,
];

const VERIFY: &str = "/api/cache/verify";

fn verify(world: &World, body: &Value) -> Answer {
    world.administrator().post(VERIFY, body)
}

/// What is found among the entries of this landlord.
#[track_caller]
fn found(who: &Tenant) -> Value {
    verify(&who.world, &json!({ "tenant": who.id, "sample": 1000, "ratePerSecond": 200 })).is(200).json()
}

/// Of an answer: consistent, inconsistent, refused, gone.
#[track_caller]
fn counts(told: &Value) -> [u64; 4] {
    let count = |name| told[name].as_u64().unwrap_or_else(|| panic!("{name} in {told}"));
    assert_eq!(count("checked"), count("consistent") + count("inconsistent"), "{told}");
    ["consistent", "inconsistent", "refused", "gone"].map(count)
}

/// A landlord with everything cached.
fn cached(world: &World) -> Place {
    let place = Place::of(world.tenant());
    // Another trial that drains the outbox of the world they share would take what these writes still have there for missed.
    let rows = "SELECT FROM cache_invalidations WHERE tenant_id = $1";
    eventually("the outbox has none of theirs", || world.query(rows, &[&place.who.id]).is_empty().then_some(()));
    for route in place.routes() {
        hit(&place.who, &route);
    }
    place
}

#[track_caller]
fn hit(who: &Tenant, route: &str) {
    eventually("a hit", || (who.get(route).is(200).cache() == Cache::Hit).then_some(()));
}

fn only_an_administrator_verifies() {
    let who = world().tenant();
    world().request("POST", VERIFY).json(&json!({})).send().is(401);
    who.post(VERIFY, &json!({})).problem(403);
    who.post(VERIFY, &json!({ "tenant": who.id })).problem(403);
    assert_eq!(world().administrator().get(VERIFY).is(405).list("allow"), ["options", "post"]);
}

fn an_invalid_order_is_400() {
    let operator = world().administrator();
    for (body, member) in [
        (json!({ "sample": 0 }), "sample"),
        (json!({ "sample": 1001 }), "sample"),
        (json!({ "sample": "5" }), "sample"),
        (json!({ "tenant": "a:b" }), "tenant"),
        (json!({ "tenant": "*" }), "tenant"),
        (json!({ "ratePerSecond": 9 }), "ratePerSecond"),
        (json!("x"), "body"),
    ] {
        operator.post(VERIFY, &body).names(member);
    }
    operator.request("POST", VERIFY).body("{}").send().is(415);
}

/// Of a list one page is looked at each time, so it is asked until each must have had its turn.
fn a_consistent_cache_is_consistent_page_by_page() {
    let place = cached(world());
    for number in 0..3 {
        place.who.property_at(&format!("{number} Other St"));
    }
    let next = place.who.get("/api/properties?pageSize=2&after=").is(200).json();
    let next = next["nextCursor"].as_str().expect("there is more").to_owned();
    let pages = [
        "/api/properties?pageSize=2&after=".to_owned(),
        format!("/api/properties?pageSize=2&after={next}"),
        "/api/properties?pageNumber=2&pageSize=2&sortField=weeklyRentAmount&sortDescending=true".into(),
        "/api/properties?pageNumber=99".into(),
        format!("{}?sortField=notes", place.payments_path()),
        property_path(&place.who.property_at("One more St")),
    ];
    for route in place.routes().iter().chain(&pages) {
        hit(&place.who, route);
    }
    // And what is not there is an entry too.
    place.who.get(&property_path(crate::support::NOWHERE)).is(404);
    for _ in 0..20 {
        let told = found(&place.who);
        assert_eq!(counts(&told), [6, 0, 0, 0], "{told}");
    }
}

fn a_sample_has_the_ordered_size() {
    let (place, other) = (cached(world()), cached(world()));
    let told = verify(world(), &json!({ "tenant": place.who.id, "sample": 3 })).is(200).json();
    assert_eq!(counts(&told), [3, 0, 0, 0], "{told}");
    // Nobody's in particular: the shared world's, where others write meanwhile.
    let told = verify(world(), &json!({ "sample": 5, "ratePerSecond": 200 })).is(200).json();
    assert_eq!(counts(&told).iter().sum::<u64>(), 5, "{told}");
    assert_eq!(counts(&found(&other.who)), [4, 0, 0, 0]);
    assert_eq!(counts(&found(&world().tenant())), [0, 0, 0, 0]);
}

fn a_row_changed_in_postgresql_alone_is_found_and_its_entry_deleted() {
    let (place, neighbour) = (cached(world()), cached(world()));
    world().execute("UPDATE properties SET address = 'after' WHERE tenant_id = $1", &[&place.who.id]);
    // The property, and the list that it is in.
    let told = found(&place.who);
    assert_eq!((counts(&told), &told["why"]["unknown"]), ([2, 2, 0, 0], &json!(2)), "{told}");
    assert_eq!(counts(&found(&place.who)), [2, 0, 0, 0], "they are deleted");
    assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "after");
    assert_eq!(place.who.column("/api/properties", "address"), ["after"]);

    world().execute("UPDATE payments SET amount = 7 WHERE tenant_id = $1", &[&place.who.id]);
    let told = found(&place.who);
    assert_eq!((counts(&told), &told["why"]["unknown"]), ([2, 2, 0, 0], &json!(2)), "{told}");
    assert_eq!(place.who.get(&place.payment_path()).is(200).json()["amount"], 7);
    // A row that is gone, and one that has come where none was.
    world().execute("DELETE FROM payments WHERE tenant_id = $1", &[&place.who.id]);
    place.who.get(&place.payments_path()).is(200);
    assert_eq!(counts(&found(&place.who))[1], 1, "the payment is gone");
    assert_eq!(counts(&found(&neighbour.who)), [4, 0, 0, 0], "a neighbour's are as they were");
}

fn an_invalidation_that_is_still_in_the_outbox_is_named() {
    let place = cached(world());
    let resources = vec![format!("property:{}", place.property), "property:list".to_owned()];
    let statement = "WITH changed AS (UPDATE properties SET address = 'after' WHERE tenant_id = $1)
        INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES ($1, gen_random_uuid(), $2)";
    world().execute(statement, &[&place.who.id, &resources]);
    let told = found(&place.who);
    assert_eq!((counts(&told), &told["why"]["missedOutbox"]), ([2, 2, 0, 0], &json!(2)), "{told}");
    assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "after");
    world().administrator().request("POST", "/api/cache/drain").send().is(200);
}

fn an_entry_under_a_fence_is_named() {
    let place = cached(world());
    let lock = format!("lock:{}", world().key(&place.who, &format!("property:{}", place.property)));
    let _: i64 = world().redis_command(&["HSET", &lock, "fence:of-a-write", "99999999999999"]);
    let _: i64 = world().redis_command(&["EXPIRE", &lock, "60"]);
    assert_eq!(counts(&found(&place.who)), [4, 0, 0, 0]);
    world().execute("UPDATE properties SET address = 'after' WHERE tenant_id = $1", &[&place.who.id]);
    let told = found(&place.who);
    assert_eq!(counts(&told), [2, 2, 0, 0], "{told}");
    assert_eq!(told["why"], json!({ "missedOutbox": 0, "refusedFill": 1, "unknown": 1 }));
    let _: i64 = world().redis_command(&["DEL", &lock]);
}

fn an_invalid_entry_is_not_counted_as_inconsistent() {
    let (place, other) = (cached(world()), cached(world()));
    let key = |place: &Place, rest: &str| world().key(&place.who, rest);
    let property = key(&place, &format!("property:{}", place.property));
    let _: i64 = world().redis_command(&["SETRANGE", &property, "60", "tampered with"]);
    world().copy_key(
        &key(&other, &format!("payment:{}", other.payment)),
        &key(&place, &format!("payment:{}", place.payment)),
    );
    let _: () = world().redis_command(&["SET", &key(&place, "property:list"), "no list", "PX", "60000"]);
    let payments = key(&place, &format!("property:{}:payments:list", place.property));
    let _: i64 = world().redis_command(&["HSET", &payments, "no page", "x"]);
    let _: i64 = world().redis_command(&["HDEL", &payments, "1|10|paymentDate|desc"]);
    let told = found(&place.who);
    assert_eq!(counts(&told), [0, 0, 4, 0], "{told}");
    // It only looks: who reads throws them away.
    assert_eq!(counts(&found(&place.who)), [0, 0, 4, 0]);
}

fn sealed_entries_are_opened_only_by_their_tenants_key() {
    let own = Private::with(&[("cache_seal_key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")]);
    let (place, other) = (cached(&own), cached(&own));
    assert_eq!(counts(&found(&place.who)), [4, 0, 0, 0]);
    let key = |place: &Place| own.key(&place.who, &format!("property:{}", place.property));
    own.copy_key(&key(&other), &key(&place));
    assert_eq!(counts(&found(&place.who)), [3, 0, 1, 0]);
    own.execute("UPDATE properties SET address = 'after' WHERE tenant_id = $1", &[&other.who.id]);
    assert_eq!(counts(&found(&other.who)), [2, 2, 0, 0]);
    let told = own.administrator().post("/api/cache/warm", &json!({ "tenants": [other.who.id] })).is(200).json();
    assert_eq!(told["warmed"], 2, "{told}");
    assert_eq!(counts(&found(&other.who)), [4, 0, 0, 0], "what was warmed is sealed");
}

/// Ends what goes on until it is over, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A property that comes and goes leaves its list with the same content as before: another entry all the same.
fn concurrent_writes_raise_no_false_alarm() {
    let own = Private::start();
    let (_host, other) = own.another_host();
    let place = cached(&own);
    let there = other.tenant_named(&place.who.id);
    let is_over = AtomicBool::new(false);
    let (mut looked, mut seen) = (0, [0; 4]);
    thread::scope(|scope| {
        let over = Over(&is_over);
        let writers = [&place.who, &there].map(|who| {
            let place = &place;
            scope.spawn(move || {
                for number in 0..60 {
                    who.put(&place.property_path(), &json!({ "address": format!("{number} Main St") })).is(200);
                    let id = who.property_at("comes and goes");
                    who.put(&place.payment_path(), &who.cash(number)).is(204);
                    who.delete(&property_path(&id)).is(204);
                }
            })
        });
        for who in [&place.who, &there] {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    for route in place.routes() {
                        who.get(&route).is(200);
                    }
                }
            });
        }
        while writers.iter().any(|writer| !writer.is_finished()) {
            let told = found(&place.who);
            looked += 1;
            let counts = counts(&told);
            assert_eq!(counts[1], 0, "a false alarm: {told}");
            for (sum, count) in seen.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        drop(over);
        for writer in writers {
            writer.join().expect("every write is answered");
        }
    });
    println!("{looked} verifications while 480 writes were made: {seen:?} [consistent, inconsistent, refused, gone]");
    assert!(seen[0] > 0 && seen[2] == 0, "{seen:?}");
    assert_eq!(counts(&found(&place.who))[1], 0);
}

fn an_inconsistency_is_counted_and_logged() {
    let own = Private::start();
    let place = cached(&own);
    let series = |reason: &str| format!("renttracker_cache_verify_inconsistent_total{{reason=\"{reason}\"}}");
    let checked = "renttracker_cache_verify_checked_total";
    let reaches = |series: &str, count: u64| {
        eventually(&format!("{series} is {count}"), || (own.metric(series) == count).then_some(()));
    };
    found(&place.who);
    reaches(checked, 4);
    own.execute("UPDATE properties SET address = 'after' WHERE tenant_id = $1", &[&place.who.id]);
    found(&place.who);
    reaches(checked, 8);
    reaches(&series("unknown"), 2);
    assert_eq!((own.metric(&series("missed_outbox")), own.metric(&series("refused_fill"))), (0, 0));
    let log = std::fs::read_to_string(own.log()).expect("a log");
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told: Vec<&Value> = lines.iter().filter(|line| line["event"] == "cache.inconsistent").collect();
    assert_eq!(told.len(), 2, "{log}");
    for line in told {
        assert_eq!((&line["reason"], line["tenant"].as_str()), (&json!("unknown"), Some(place.who.id.as_str())));
        assert!(["property", "properties"].contains(&line["kind"].as_str().expect("a kind")), "{line}");
    }
}

fn without_the_cache_it_says_so() {
    let own = Private::without_redis(&[("redis_connect_timeout_ms", "100")]);
    let before = own.reads();
    let answer = verify(&own, &json!({}));
    answer.problem(409);
    answer.needs("retry-after");
    assert_eq!(own.reads(), before);
}
