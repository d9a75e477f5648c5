//! The breaker, one trial a transition, with several host processes on one Redis.

use serde_json::{Value, json};

use crate::outage::BRISK;
use crate::world::{Cache, Place, Private, World, eventually, property_path, trials};

trials![
    two_hosts_that_start_at_once_agree_on_one_record,
    a_host_that_alone_lost_redis_does_not_take_it_from_another,
    a_redis_that_is_gone_opens_the_breaker_for_all_and_it_closes_again,
    failed_probes_are_counted_and_make_the_breaker_wait_longer,
    a_write_that_cannot_invalidate_takes_the_cache_from_another_host_at_once,
    an_answer_of_redis_never_opens_the_breaker,
    a_key_value_store_that_fails_fails_no_request,
];

/// An address where nothing listens.
const NOWHERE: [(&str, &str); 2] = [("redis_url", "redis://127.0.0.1:1"), ("redis_address", "redis://127.0.0.1:1")];

fn told(world: &World) -> Value {
    world.administrator().get("/api/cache/breaker").is(200).json()
}

fn state(world: &World) -> String {
    told(world)["state"].as_str().expect("a state").to_owned()
}

/// Reads through both hosts until both hit.
fn warm(own: &Private, other: &World) -> Place {
    let place = Place::of(own.tenant());
    let there = other.tenant_named(&place.who.id);
    eventually("both hosts hit", || {
        let hits = [&place.who, &there].map(|who| who.get(&place.property_path()).is(200).cache() == Cache::Hit);
        (hits == [true, true]).then_some(())
    });
    place
}

/// A swap on an absent key of the store always succeeds, so each could believe that its own record is the one.
fn two_hosts_that_start_at_once_agree_on_one_record() {
    let own = Private::with(&BRISK);
    let (_host, other) = own.another_host();
    let place = Place::of(own.tenant());
    let there = other.tenant_named(&place.who.id);
    let who = [&place.who, &there];
    crate::world::together(8, |number| who[number % 2].get(&place.property_path()).is(200));
    warm(&own, &other);
    let (here, there) = (told(&own), told(&other));
    assert_eq!(here, there);
    assert_eq!(here["state"], "closed");
}

fn a_host_that_alone_lost_redis_does_not_take_it_from_another() {
    // A brisk deadline may pass on a busy machine, and then it would be the healthy host that votes.
    let own = Private::with(&[("breaker_reset_seconds", "1"), ("breaker_max_reset_seconds", "1")]);
    let (_host, cut) = own.another_host_with(&NOWHERE);
    let place = Place::of(own.tenant());
    let route = place.property_path();
    eventually("a hit", || (place.who.get(&route).is(200).cache() == Cache::Hit).then_some(()));
    let there = cut.tenant_named(&place.who.id);
    let mut hits = 0;
    for _ in 0..100 {
        assert_eq!(there.get(&route).is(200).cache(), Cache::Bypass);
        hits += u32::from(place.who.get(&route).is(200).cache() == Cache::Hit);
    }
    assert_eq!(hits, 100, "of 100 reads where Redis answers so many hit");
    assert_eq!(state(&own), "closed");
}

fn a_redis_that_is_gone_opens_the_breaker_for_all_and_it_closes_again() {
    let mut own = Private::with(&BRISK);
    let (_host, other) = own.another_host();
    let place = warm(&own, &other);
    let there = other.tenant_named(&place.who.id);
    let epoch = told(&own)["epoch"].as_u64().expect("an epoch");
    own.redis().kill();
    eventually("the breaker is open", || {
        for who in [&place.who, &there] {
            who.get(&place.property_path()).is(200);
            who.get(&place.payment_path()).is(200);
        }
        (state(&own) != "closed").then_some(())
    });
    let log = std::fs::read_to_string(own.log()).expect("a log");
    assert!(log.contains("breaker.suspected"), "it opened without a first vote");
    own.redis().restart().expect("Redis comes back");
    warm(&own, &other);
    let told = told(&other);
    assert_eq!((told["state"].as_str(), told["failedProbes"].as_u64()), (Some("closed"), Some(0)));
    assert!(told["epoch"].as_u64() > Some(epoch), "another Redis was let in with the old epoch");
}

fn failed_probes_are_counted_and_make_the_breaker_wait_longer() {
    let mut changes = BRISK.to_vec();
    changes.push(("breaker_max_reset_seconds", "8"));
    let mut own = Private::with(&changes);
    let place = Place::of(own.tenant());
    let probes = |world: &World| told(world)["failedProbes"].as_u64().expect("a count");
    own.redis().kill();
    place.who.put(&place.property_path(), &json!({ "address": "2 Main St" })).is(200);
    eventually("two probes have failed", || {
        place.who.get(&place.property_path()).is(200);
        (probes(&own) >= 2).then_some(())
    });
    own.redis().restart().expect("Redis comes back");
    eventually("a hit", || {
        let answer = place.who.get(&place.property_path()).is(200);
        assert_eq!(answer.json()["address"], "2 Main St");
        (answer.cache() == Cache::Hit).then_some(())
    });
    assert_eq!(probes(&own), 0);
}

fn a_write_that_cannot_invalidate_takes_the_cache_from_another_host_at_once() {
    let own = Private::with(&BRISK);
    let (_host, cut) = own.another_host_with(&NOWHERE);
    let place = Place::of(own.tenant());
    let route = place.property_path();
    eventually("a hit", || (place.who.get(&route).is(200).cache() == Cache::Hit).then_some(()));
    // The other host still has Redis, and the old entry in it.
    cut.tenant_named(&place.who.id).put(&route, &json!({ "address": "new address" })).is(200);
    let answer = place.who.get(&route).is(200);
    assert_eq!((answer.json()["address"].as_str(), answer.cache()), (Some("new address"), Cache::Bypass));
    eventually("the cache is used again", || {
        let answer = place.who.get(&route).is(200);
        assert_eq!(answer.json()["address"], "new address");
        (answer.cache() == Cache::Hit).then_some(())
    });
}

fn an_answer_of_redis_never_opens_the_breaker() {
    let own = Private::with(&BRISK);
    let place = Place::of(own.tenant());
    let route = place.property_path();
    eventually("a hit", || (place.who.get(&route).is(200).cache() == Cache::Hit).then_some(()));
    let client = redis::Client::open(own.redis_url.as_str()).expect("an address");
    let mut connection = client.get_connection().expect("Redis answers");
    let key = own.key(&place.who, &format!("property:{}", place.property));
    for _ in 0..10 {
        // GET on a hash is WRONGTYPE, which is an answer.
        let () = redis::pipe().del(&key).hset(&key, "a", "b").expire(&key, 60).query(&mut connection).expect("a hash");
        place.who.get(&route).is(200);
    }
    // No script runs where no script may write.
    let () = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("1").query(&mut connection).expect("CONFIG");
    for _ in 0..3 {
        let id = place.who.property_at("1 Full St");
        place.who.get(&property_path(&id)).is(200);
    }
    let () = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("0").query(&mut connection).expect("CONFIG");
    let log = std::fs::read_to_string(own.log()).expect("a log");
    assert!(log.contains("redis.refused"), "Redis has refused nothing");
    assert!(!log.contains("breaker.suspected"), "an answer was counted as a failure");
}

fn a_key_value_store_that_fails_fails_no_request() {
    let own = Private::with(&BRISK);
    let place = Place::of(own.tenant());
    eventually("a hit", || (place.who.get(&place.property_path()).is(200).cache() == Cache::Hit).then_some(()));
    own.break_key_value_store();
    for round in 0..20 {
        place.who.put(&place.property_path(), &json!({ "address": format!("{round} Main St") })).is(200);
        let answer = place.who.get(&place.property_path()).is(200);
        assert_eq!(answer.json()["address"], format!("{round} Main St"));
    }
}
