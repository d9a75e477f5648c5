//! The cache is used, and used as promised: hits, keys, lifetimes, one read for a cold key.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::{
    Cache, NOWHERE, Place, Private, payment_path, payments_path, property_path, protocol, together, trials, world,
};

/// Ten minutes, a tenth either way.
const USUAL_TTL_MS: std::ops::RangeInclusive<i64> = 530_000..=660_000;

trials![
    each_cached_route_misses_once_and_then_hits,
    a_hit_is_the_same_answer,
    a_row_changed_in_postgresql_alone_is_not_seen,
    a_row_added_in_postgresql_alone_is_not_listed,
    each_page_is_cached_separately,
    the_same_page_by_another_query_is_a_hit,
    keys_have_their_documented_names,
    keys_live_about_ten_minutes,
    lifetimes_of_keys_are_spread,
    locks_are_released,
    an_absence_is_cached_for_a_short_time,
    an_error_is_not_cached,
    an_entry_that_vanished_is_read_again,
    scripts_are_sent_whole_to_a_redis_that_has_forgotten_them,
    scripts_are_sent_whole_where_they_may_not_be_named_by_their_hash,
    a_hit_after_an_idle_instance_is_still_a_hit,
    a_write_is_seen_through_another_host,
    the_instance_name_and_the_lifetime_can_be_set,
    one_cold_property_costs_one_read,
    one_cold_property_list_costs_one_read,
    one_cold_payment_costs_one_read,
    one_cold_payment_list_costs_one_read,
    one_cold_absence_costs_one_read,
    one_cold_property_costs_one_read_through_two_hosts,
    no_read_after_a_write_shows_older_data,
];

fn place() -> Place {
    Place::of(world().tenant())
}

fn each_cached_route_misses_once_and_then_hits() {
    let place = place();
    for route in place.routes() {
        assert_eq!(place.who.get(&route).is(200).cache(), Cache::Stored, "{route}");
        for _ in 0..3 {
            assert_eq!(place.who.get(&route).is(200).cache(), Cache::Hit, "{route}");
        }
    }
}

fn a_hit_is_the_same_answer() {
    let place = place();
    for route in place.routes() {
        let (miss, hit) = (place.who.get(&route).is(200), place.who.get(&route).is(200));
        assert_eq!(hit.cache(), Cache::Hit);
        assert_eq!(hit.text(), miss.text());
        for name in ["content-type", "content-length", "etag", "cache-control", "vary"] {
            assert_eq!(hit.header(name), miss.header(name), "{name} of {route}");
        }
    }
}

fn a_row_changed_in_postgresql_alone_is_not_seen() {
    let place = place();
    let before: Vec<String> = place.routes().iter().map(|route| place.who.get(route).is(200).text()).collect();
    let id = &place.who.id;
    world().execute("UPDATE properties SET address = 'behind the back' WHERE tenant_id = $1", &[id]);
    world().execute("UPDATE payments SET notes = 'behind the back' WHERE tenant_id = $1", &[id]);
    for (route, before) in place.routes().iter().zip(before) {
        let now = place.who.get(route).is(200);
        assert_eq!((now.cache(), now.text()), (Cache::Hit, before), "{route}");
    }
    // A write clears them away, and then the row is read as it is.
    let path = property_path(&place.property);
    place.who.put(&place.payment_path(), &place.who.cash(5)).is(204);
    assert_eq!(place.who.get(&path).is(200).cache(), Cache::Hit);
    let other = place.who.property_at("2 Other St");
    assert!(place.who.get("/api/properties").is(200).text().contains("behind the back"));
    place.who.delete(&property_path(&other)).is(204);
}

fn a_row_added_in_postgresql_alone_is_not_listed() {
    let place = place();
    assert_eq!(place.who.get("/api/properties").is(200).json()["totalCount"], 1);
    let statement = "INSERT INTO properties (tenant_id, id, address) VALUES ($1, gen_random_uuid(), 'hidden')";
    world().execute(statement, &[&place.who.id]);
    assert_eq!(place.who.get("/api/properties").is(200).json()["totalCount"], 1);
    place.who.property_at("2 Other St");
    assert_eq!(place.who.get("/api/properties").is(200).json()["totalCount"], 3);
}

fn each_page_is_cached_separately() {
    let place = place();
    place.who.property_at("2 Other St");
    for list in ["/api/properties".to_owned(), payments_path(&place.property)] {
        for query in ["pageSize=1", "pageSize=1&pageNumber=2", "pageSize=2", "sortField=suburb&pageSize=3"] {
            let route = format!("{list}?{query}");
            let miss = place.who.get(&route).is(200);
            assert_eq!(miss.cache(), Cache::Stored, "{route}");
            let hit = place.who.get(&route).is(200);
            assert_eq!((hit.cache(), hit.text()), (Cache::Hit, miss.text()), "{route}");
        }
    }
    let one = place.who.get("/api/properties?pageSize=1").text();
    assert_ne!(one, place.who.get("/api/properties?pageSize=1&pageNumber=2").text());
}

fn the_same_page_by_another_query_is_a_hit() {
    let place = place();
    place.who.get("/api/properties").is(200);
    for query in [
        "?",
        "?pageNumber=1",
        "?pageNumber=0",
        "?pageSize=10",
        "?pageSize=0",
        "?pageSize=10&pageNumber=1",
        "?sortField=address",
        "?sortField=ADDRESS",
        "?sortField=nonsense",
        "?sortDescending=false",
        "?searchTerm=",
        "?unknown=1",
    ] {
        let answer = place.who.get(&format!("/api/properties{query}")).is(200);
        assert_eq!(answer.cache(), Cache::Hit, "{query}");
    }
    assert_eq!(place.who.get("/api/properties/").is(200).cache(), Cache::Hit);
    assert_eq!(place.who.get(&property_path(&place.property)).cache(), Cache::Stored);
    assert_eq!(place.who.get(&property_path(&place.property.to_uppercase())).cache(), Cache::Hit);
}

fn keys_have_their_documented_names() {
    let place = place();
    assert_eq!(world().keys_of(&place.who), Vec::<String>::new(), "after writes alone nothing is cached");
    for route in place.routes() {
        place.who.get(&route).is(200);
        place.who.get(&format!("{route}?pageSize=3")).is(200);
    }
    let mut expected = vec![
        format!("payment:{}", place.payment),
        format!("property:{}", place.property),
        format!("property:{}:payments:list", place.property),
        "property:list".to_owned(),
    ];
    expected.sort();
    assert_eq!(world().keys_of(&place.who), expected);
    for key in expected {
        let kind: String = world().redis_command(&["TYPE", &world().key(&place.who, &key)]);
        assert_eq!(kind, if key.ends_with(":list") { "hash" } else { "string" }, "{key}");
    }
}

fn keys_live_about_ten_minutes() {
    let place = place();
    for route in place.routes() {
        place.who.get(&route).is(200);
    }
    for key in world().keys_of(&place.who) {
        let ttl = world().ttl(&world().key(&place.who, &key));
        assert!(USUAL_TTL_MS.contains(&ttl), "{key} lives {ttl} ms");
    }
}

fn lifetimes_of_keys_are_spread() {
    let who = world().tenant();
    let mut ends = BTreeSet::new();
    for number in 0..12 {
        let id = who.property_at(&format!("{number} Main St"));
        who.get(&property_path(&id)).is(200);
        // In steps of two seconds, which is longer than making all of them takes.
        let ttl = world().ttl(&world().key(&who, &format!("property:{id}")));
        assert!(USUAL_TTL_MS.contains(&ttl), "{ttl} ms");
        ends.insert(ttl / 2000);
    }
    assert!(ends.len() > 3, "no jitter: {ends:?}");
}

fn locks_are_released() {
    let place = place();
    together(8, |number| place.who.get(&place.routes()[number % 4]).is(200));
    let locks: Vec<String> = world().keys_of(&place.who).into_iter().filter(|key| key.starts_with("lock:")).collect();
    assert_eq!(locks, Vec::<String>::new());
}

fn an_absence_is_cached_for_a_short_time() {
    let place = place();
    let absent = property_path(NOWHERE);
    let first = place.who.get(&absent).is(404);
    assert_eq!(first.cache(), Cache::Stored);
    let second = place.who.get(&absent).is(404);
    assert_eq!((second.cache(), second.text()), (Cache::Hit, first.text()));
    let ttl = world().ttl(&world().key(&place.who, &format!("property:{NOWHERE}")));
    assert!((1..=33_000).contains(&ttl), "absence is remembered for {ttl} ms");
    let payment = payment_path(&place.property, NOWHERE);
    assert_eq!(place.who.get(&payment).is(404).cache(), Cache::Stored);
    assert_eq!(place.who.get(&payment).is(404).cache(), Cache::Hit);
    // It really is the memory that answers.
    let statement = "INSERT INTO properties (tenant_id, id, address) VALUES ($1, $2::text::uuid, 'late')";
    world().execute(statement, &[&place.who.id, &NOWHERE]);
    place.who.get(&absent).is(404);
}

fn an_error_is_not_cached() {
    let who = world().tenant();
    who.get("/api/properties?pageSize=x").is(400);
    who.get("/api/properties/x").is(404);
    who.post("/api/properties", &json!({})).is(400);
    world().get("/api/properties").is(401);
    assert_eq!(world().keys_of(&who), Vec::<String>::new());
}

fn an_entry_that_vanished_is_read_again() {
    let place = place();
    let path = property_path(&place.property);
    place.who.get(&path).is(200);
    let _: i64 = world().redis_command(&["DEL", &world().key(&place.who, &format!("property:{}", place.property))]);
    assert_eq!(place.who.get(&path).is(200).cache(), Cache::Stored);
}

/// A miss and a write, with each of their scripts answered.
fn stores_and_invalidates(place: &Place) {
    let path = place.property_path();
    place.who.put(&path, &json!({ "address": "2 Main St" })).is(200);
    assert_eq!(place.who.get(&path).is(200).cache(), Cache::Stored);
    assert_eq!(place.who.get(&path).is(200).cache(), Cache::Hit);
}

fn scripts_are_sent_whole_to_a_redis_that_has_forgotten_them() {
    let own = Private::start();
    let place = Place::of(own.tenant());
    stores_and_invalidates(&place);
    let _: () = own.redis_command(&["SCRIPT", "FLUSH"]);
    stores_and_invalidates(&place);
    assert_eq!(own.administrator().get("/api/cache/breaker").is(200).json()["state"], "closed");
}

/// As for a user that was made for a release before.
fn scripts_are_sent_whole_where_they_may_not_be_named_by_their_hash() {
    let own = Private::start();
    let place = Place::of(own.tenant());
    let _: () = own.redis_command(&["ACL", "SETUSER", "default", "-evalsha"]);
    stores_and_invalidates(&place);
    let stats: String = own.redis_command(&["INFO", "commandstats"]);
    let refused = stats.lines().any(|line| line.starts_with("cmdstat_evalsha:") && !line.contains("rejected_calls=0"));
    assert!(refused || protocol::is_rest(), "{stats}");
    assert_eq!(own.administrator().get("/api/cache/breaker").is(200).json()["state"], "closed");
}

fn a_hit_after_an_idle_instance_is_still_a_hit() {
    let place = place();
    let path = place.property_path();
    place.who.get(&path).is(200);
    // The lease on the breaker's state lapses after half a second, an idle instance goes after one.
    for rest in [700, 1500] {
        std::thread::sleep(Duration::from_millis(rest));
        assert_eq!(place.who.get(&path).is(200).cache(), Cache::Hit, "after {rest} ms");
    }
}

fn a_write_is_seen_through_another_host() {
    let own = Private::start();
    let (_host, other) = own.another_host();
    let here = own.tenant();
    let there = other.tenant_named(&here.id);
    let place = Place::of(here);
    let path = property_path(&place.property);
    for number in 0..20 {
        assert_eq!(place.who.get(&path).is(200).json(), there.get(&path).is(200).json());
        let (writer, reader) = if number % 2 == 0 { (&place.who, &there) } else { (&there, &place.who) };
        let address = format!("{number} Other St");
        writer.put(&path, &json!({ "address": address })).is(200);
        assert_eq!(reader.get(&path).is(200).json()["address"], address.as_str());
        assert_eq!(reader.get("/api/properties").is(200).json()["items"][0]["address"], address.as_str());
    }
    // What one host has read is a hit for the other.
    place.who.get(&path).is(200);
    assert_eq!(there.get(&path).is(200).cache(), Cache::Hit);
    there.delete(&path).is(204);
    place.who.get(&path).is(404);
}

fn the_instance_name_and_the_lifetime_can_be_set() {
    let own = Private::with(&[("redis_instance_name", "Other-1_"), ("redis_default_timeout_minutes", "2")]);
    let place = Place::of(own.tenant());
    for route in place.routes() {
        place.who.get(&route).is(200);
        assert_eq!(place.who.get(&route).is(200).cache(), Cache::Hit);
    }
    let keys = own.keys_of(&place.who);
    assert_eq!(keys.len(), 4, "{keys:?}");
    for key in keys {
        let ttl = own.ttl(&own.key(&place.who, &key));
        assert!((100_000..=132_000).contains(&ttl), "{key} lives {ttl} ms");
    }
}

/// Asks for one cold route 50 times at once: PostgreSQL is read as often as for a single request.
fn fifty_at_once(route: impl Fn(&Place) -> String, status: u16) {
    let own = Private::start();
    let alone = Place::of(own.tenant());
    let before = own.reads();
    assert_eq!(alone.who.get(&route(&alone)).is(status).cache(), Cache::Stored);
    let for_one = own.reads() - before;
    assert_eq!(for_one, 1, "a single miss is a single read");

    let place = Place::of(own.tenant());
    let route = route(&place);
    let before = own.reads();
    let answers = together(50, |_| place.who.get(&route).is(status));
    assert_eq!(own.reads() - before, 1, "{route}");
    let stored = answers.iter().filter(|answer| answer.cache() == Cache::Stored).count();
    assert_eq!(stored, 1, "exactly one of them filled the cache");
    for answer in &answers {
        assert_eq!(answer.text(), answers[0].text());
        assert!([Cache::Stored, Cache::Collapsed, Cache::Hit].contains(&answer.cache()), "{answer}");
    }
    assert_eq!(place.who.get(&route).is(status).cache(), Cache::Hit);
}

fn one_cold_property_costs_one_read() {
    fifty_at_once(|place| property_path(&place.property), 200);
}

fn one_cold_property_list_costs_one_read() {
    fifty_at_once(|_| "/api/properties?sortField=state".into(), 200);
}

fn one_cold_payment_costs_one_read() {
    fifty_at_once(Place::payment_path, 200);
}

fn one_cold_payment_list_costs_one_read() {
    fifty_at_once(|place| payments_path(&place.property), 200);
}

fn one_cold_absence_costs_one_read() {
    fifty_at_once(|_| property_path(NOWHERE), 404);
}

fn one_cold_property_costs_one_read_through_two_hosts() {
    let own = Private::start();
    let (_host, other) = own.another_host();
    let place = Place::of(own.tenant());
    let there = other.tenant_named(&place.who.id);
    // Both have looked at the cache before, as hosts in service have.
    for who in [&place.who, &there] {
        who.get("/api/properties").is(200);
    }
    let path = place.property_path();
    let before = own.reads();
    let answers = together(50, |number| [&place.who, &there][number % 2].get(&path).is(200));
    assert_eq!(own.reads() - before, 1, "{answers:?}");
}

/// Is set when it goes.
struct Flag<'a>(&'a AtomicBool);

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn no_read_after_a_write_shows_older_data() {
    let place = place();
    let path = property_path(&place.property);
    let (answered, done) = (AtomicI64::new(1), AtomicBool::new(false));
    let look = |route: &str, rent: &dyn Fn(&serde_json::Value) -> i64| {
        while !done.load(Ordering::SeqCst) {
            let oldest = answered.load(Ordering::SeqCst);
            let answer = place.who.get(route).is(200);
            let seen = rent(&answer.json());
            assert!(seen >= oldest, "{seen} was read after {oldest} had been answered: {answer}");
        }
    };
    together(7, |number| match number {
        0 => {
            // Also when a write fails: the readers must come to an end.
            let _end = Flag(&done);
            for rent in 2..=60 {
                place.who.put(&path, &json!({ "address": "1 Main St", "weeklyRentAmount": rent })).is(200);
                answered.store(rent, Ordering::SeqCst);
            }
        }
        1..=3 => look(&path, &|body| body["weeklyRentAmount"].as_i64().expect("a rent")),
        _ => look("/api/properties", &|body| body["items"][0]["weeklyRentAmount"].as_i64().expect("a rent")),
    });
    assert_eq!(place.who.get(&path).json()["weeklyRentAmount"], 60);
}
