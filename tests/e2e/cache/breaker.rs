//! The breaker, one trial a transition, with several host processes on one Redis.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::cache::load::Over;
use crate::support::outages::BRISK;
use crate::support::silent_server::SilentServer;
use crate::support::{Cache, Place, Private, World, eventually, property_path, trials};

trials![
    two_hosts_that_start_at_once_agree_on_one_record,
    a_host_that_alone_lost_redis_does_not_bar_another,
    a_lost_redis_opens_the_breaker_for_all_hosts_until_it_is_back,
    failed_probes_lengthen_the_reset_time,
    one_host_probes_at_a_time,
    a_write_that_cannot_invalidate_bars_another_host_at_once,
    a_refusal_of_redis_never_opens_the_breaker,
];

/// An address where nothing listens.
pub const NOWHERE: [(&str, &str); 2] = [("redis_url", "redis://127.0.0.1:1"), ("redis_address", "redis://127.0.0.1:1")];

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
pub fn two_hosts_that_start_at_once_agree_on_one_record() {
    let own = Private::with(&BRISK);
    let (_host, other) = own.another_host();
    let place = Place::of(own.tenant());
    let there = other.tenant_named(&place.who.id);
    let who = [&place.who, &there];
    crate::support::together(8, |number| who[number % 2].get(&place.property_path()).is(200));
    warm(&own, &other);
    let (here, there) = (told(&own), told(&other));
    assert_eq!(here, there);
    assert_eq!(here["state"], "closed");
}

pub fn a_host_that_alone_lost_redis_does_not_bar_another() {
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

pub fn a_lost_redis_opens_the_breaker_for_all_hosts_until_it_is_back() {
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
    own.await_logged("breaker.suspected");
    own.redis().restart().expect("Redis comes back");
    warm(&own, &other);
    let told = told(&other);
    assert_eq!((told["state"].as_str(), told["failedProbes"].as_u64()), (Some("closed"), Some(0)));
    assert!(told["epoch"].as_u64() > Some(epoch), "another Redis was let in with the old epoch");
}

/// The waits are those that the record itself announces; nothing is read off a clock.
pub fn failed_probes_lengthen_the_reset_time() {
    let mut changes = BRISK.to_vec();
    changes.push(("breaker_max_reset_seconds", "8"));
    let mut own = Private::with(&changes);
    let place = Place::of(own.tenant());
    own.redis().kill();
    place.who.put(&place.property_path(), &json!({ "address": "2 Main St" })).is(200);
    let mut waits = BTreeMap::new();
    eventually("three probes have failed", || {
        place.who.get(&place.property_path()).is(200);
        let told = told(&own);
        let time = |member: &str| chrono::DateTime::parse_from_rfc3339(told[member].as_str()?).ok();
        let failed = told["failedProbes"].as_u64().expect("a count");
        if let (Some(retry_at), Some(since)) = (time("retryAt"), time("since")) {
            waits.insert(failed, (retry_at - since).num_milliseconds());
        }
        (failed >= 3 && waits.contains_key(&3)).then_some(())
    });
    let grown: Vec<i64> = waits.range(2..).map(|(_, wait)| *wait).collect();
    assert_eq!(grown, [2_000, 4_000], "each wait is twice the one before: {waits:?}");
    own.redis().restart().expect("Redis comes back");
    eventually("a hit", || {
        let answer = place.who.get(&place.property_path()).is(200);
        assert_eq!(answer.json()["address"], "2 Main St");
        (answer.cache() == Cache::Hit).then_some(())
    });
    assert_eq!(told(&own)["failedProbes"], 0);
}

/// While the breaker is open only a probe connects to Redis. This one never answers, so that each probe lasts until its
/// deadline: time enough for three hosts to come with another.
pub fn one_host_probes_at_a_time() {
    let mut own = Private::with(&[&BRISK[..], &[("redis_connect_timeout_ms", "1000")]].concat());
    let others = [own.another_host(), own.another_host()];
    let place = warm(&own, &others[0].1);
    let port = own.redis().port();
    own.redis().kill();
    let deaf = SilentServer::listen(port);
    let hosts = [&*own, &others[0].1, &others[1].1];
    let readers: Vec<_> = hosts.iter().map(|host| host.tenant_named(&place.who.id)).collect();
    let failed = || told(&own)["failedProbes"].as_u64().expect("a count");
    // What was under way when Redis was lost is over.
    place.who.put(&place.property_path(), &json!({ "address": "2 Main St" })).is(200);
    eventually("a first probe has failed", || {
        place.who.get(&place.property_path()).is(200);
        (failed() >= 1).then_some(())
    });
    let before = (failed(), deaf.forget());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = Over(&over);
        for reader in readers.iter().cycle().take(2 * readers.len()) {
            let (over, path) = (&over, place.property_path());
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    reader.get(&path).is(200);
                }
            });
        }
        eventually("three more have failed", || (failed() >= before.0 + 3).then_some(()));
    });
    let (came, at_once) = deaf.seen();
    assert!(came >= before.1 + 3, "{came} connections are fewer than there were probes");
    assert_eq!(at_once, 1, "so many hosts probed at once");
}

fn a_write_that_cannot_invalidate_bars_another_host_at_once() {
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

fn a_refusal_of_redis_never_opens_the_breaker() {
    // A Redis that is late on a busy machine would count, and is waited for.
    let own = Private::with(&[("breaker_reset_seconds", "1"), ("breaker_max_reset_seconds", "1")]);
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
    own.await_logged("redis.refused");
    let log = std::fs::read_to_string(own.log()).expect("a log");
    assert!(!log.contains("breaker.suspected"), "an answer was counted as a failure");
}
