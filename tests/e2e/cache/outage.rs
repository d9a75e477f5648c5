//! Redis or PostgreSQL away: what is still answered, and that nothing old comes back with them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::support::outages::{BRISK, a_full_round};
use crate::support::{
    Answer, Cache, Place, Private, Tenant, World, eventually, payment_path, payments_path, property_path, trials,
};

trials![
    without_redis_everything_is_answered,
    redis_killed_while_running_fails_nothing,
    redis_stopped_while_running_fails_nothing,
    a_client_that_disconnects_does_not_end_the_deadlines_of_others,
    a_redis_that_comes_back_empty_is_used_again,
    a_property_changed_while_redis_slept_is_never_stale,
    a_payment_changed_while_redis_slept_is_never_stale,
    a_property_deleted_while_redis_slept_stays_gone,
    a_property_created_while_redis_slept_is_listed,
    a_write_through_another_host_while_redis_slept_is_seen,
    postgres_killed_is_503_without_internal_details,
    postgres_stopped_is_503_and_comes_back,
];

/// A landlord's property and payment, everything about them cached. On a busy machine a brisk deadline may pass now and
/// then, and the cache is left out for a second.
fn warm(world: &World) -> Place {
    let place = Place::of(world.tenant());
    eventually("everything is a hit", || {
        let all_hits = place.routes().iter().all(|route| place.who.get(route).is(200).cache() == Cache::Hit);
        all_hits.then_some(())
    });
    place
}

/// Asks for `route` until the cache is used again; on the way and from then on every answer must be `right`.
#[track_caller]
fn until_cached(who: &Tenant, route: &str, right: impl Fn(&Answer) -> bool) {
    let ask = || {
        let answer = who.get(route);
        assert!(right(&answer), "older data came back: {answer}");
        answer.cache()
    };
    eventually(&format!("{route} is a hit again"), || (ask() == Cache::Hit).then_some(()));
    for _ in 0..20 {
        ask();
    }
}

fn without_redis_everything_is_answered() {
    let own = Private::without_redis(&BRISK);
    let who = own.tenant();
    for _ in 0..3 {
        a_full_round(&who);
    }
    let id = who.property_at("1 Main St");
    assert_ne!(who.get(&property_path(&id)).is(200).cache(), Cache::Hit);
}

fn redis_killed_while_running_fails_nothing() {
    let mut own = Private::with(&BRISK);
    let place = warm(&own);
    own.redis().kill();
    for route in place.routes() {
        place.who.get(&route).is(200);
    }
    for _ in 0..3 {
        a_full_round(&place.who);
    }
}

pub fn redis_stopped_while_running_fails_nothing() {
    let mut own = Private::with(&BRISK);
    let place = warm(&own);
    own.redis().pause();
    for route in place.routes() {
        place.who.get(&route).is(200);
    }
    for _ in 0..3 {
        a_full_round(&place.who);
    }
    own.redis().resume();
    a_full_round(&place.who);
}

/// Those who wait in an instance share one timer, which belongs to the first of them.
fn a_client_that_disconnects_does_not_end_the_deadlines_of_others() {
    let mut own = Private::with(&[("redis_timeout_ms", "500"), ("breaker_threshold", "100")]);
    let place = warm(&own);
    own.redis().pause();
    for route in place.routes() {
        let send = || {
            let mut stream = TcpStream::connect(own.base_url.trim_start_matches("http://")).expect("a connection");
            stream.write_all(&place.who.request("GET", &route).bytes()).expect("it is sent");
            stream
        };
        let (first, mut second) = (send(), send());
        drop(first);
        second.set_read_timeout(Some(Duration::from_secs(10))).expect("a deadline of our own");
        let mut answer = Vec::new();
        second.read_to_end(&mut answer).expect("an answer");
        Answer::parse(route.clone(), false, &answer).is(200);
    }
}

fn a_redis_that_comes_back_empty_is_used_again() {
    let mut own = Private::with(&BRISK);
    let place = warm(&own);
    own.redis().kill();
    place.who.put(&place.property_path(), &json!({ "address": "new address" })).is(200);
    a_full_round(&place.who);
    own.redis().restart().expect("Redis comes back");
    for route in [place.property_path(), "/api/properties".into()] {
        until_cached(&place.who, &route, |answer| answer.text().contains("new address"));
    }
    a_full_round(&place.who);
}

/// Warms the cache, puts Redis to sleep, makes `change`, looks with `right`, wakes Redis with its old entries, and
/// looks at every route until the cache is used again: never anything else than what is `right`.
fn asleep(change: impl Fn(&Place), right: impl Fn(&Place, &str, &Answer) -> bool) {
    let mut own = Private::with(&BRISK);
    let place = warm(&own);
    own.redis().pause();
    change(&place);
    for route in place.routes() {
        let answer = place.who.get(&route);
        assert!(right(&place, &route, &answer), "while Redis slept: {answer}");
    }
    own.redis().resume();
    for route in place.routes() {
        until_cached(&place.who, &route, |answer| right(&place, &route, answer));
    }
    a_full_round(&place.who);
}

pub fn a_property_changed_while_redis_slept_is_never_stale() {
    let change = |place: &Place| {
        place.who.put(&place.property_path(), &json!({ "address": "new address" })).is(200);
    };
    asleep(change, |_, route, answer| {
        answer.status == 200 && (route.contains("/payments") || answer.text().contains("new address"))
    });
}

fn a_payment_changed_while_redis_slept_is_never_stale() {
    let change = |place: &Place| {
        place.who.put(&place.payment_path(), &place.who.cash(987_654)).is(204);
    };
    asleep(change, |_, route, answer| {
        answer.status == 200 && (!route.contains("/payments") || answer.text().contains("987654"))
    });
}

fn a_property_deleted_while_redis_slept_stays_gone() {
    let change = |place: &Place| {
        place.who.delete(&place.property_path()).is(204);
    };
    asleep(
        change,
        |_, route, answer| {
            if route == "/api/properties" { answer.json()["totalCount"] == 0 } else { answer.status == 404 }
        },
    );
}

fn a_property_created_while_redis_slept_is_listed() {
    let change = |place: &Place| {
        place.who.property_at("new address");
    };
    asleep(change, |_, route, answer| {
        answer.status == 200 && (route != "/api/properties" || answer.json()["totalCount"] == 2)
    });
}

fn a_write_through_another_host_while_redis_slept_is_seen() {
    let mut own = Private::with(&BRISK);
    let (_host, other) = own.another_host();
    let place = warm(&own);
    let there = other.tenant_named(&place.who.id);
    there.get(&place.property_path()).is(200);
    own.redis().pause();
    there.put(&place.property_path(), &json!({ "address": "new address" })).is(200);
    assert_eq!(there.get(&place.property_path()).is(200).json()["address"], "new address");
    own.redis().resume();
    for who in [&place.who, &there] {
        until_cached(who, &place.property_path(), |answer| answer.text().contains("new address"));
    }
}

/// Every read that is not cached and every write is a 503, and so is health.
#[track_caller]
fn unavailable(own: &World, property: &str) {
    let who = own.tenant();
    for path in [
        "/api/properties",
        "/api/paymentmethods",
        &property_path(property),
        &payments_path(property),
        &payment_path(property, property),
    ] {
        who.get(path).problem(503);
    }
    who.post("/api/properties", &json!({ "address": "x" })).problem(503);
    who.put(&property_path(property), &json!({ "address": "x" })).problem(503);
    who.delete(&property_path(property)).problem(503);
    let health = own.get("/api/health").is(503);
    assert_eq!(health.json(), json!({ "status": "Unhealthy", "database": "Disconnected" }));
    // What needs no database is answered as ever.
    own.get("/api/properties").is(401);
    who.post("/api/properties", &json!({})).is(400);
    who.get("/api/nope").is(404);
}

fn postgres_killed_is_503_without_internal_details() {
    let (mut postgres, own) = Private::with_postgres(&[("database_timeout_ms", "1000")]);
    let property = own.tenant().property_at("1 Main St");
    postgres.kill();
    unavailable(&own, &property);
}

pub fn postgres_stopped_is_503_and_comes_back() {
    let (postgres, own) = Private::with_postgres(&[("database_timeout_ms", "1000")]);
    let who = own.tenant();
    let property = who.property_at("1 Main St");
    postgres.pause();
    unavailable(&own, &property);
    postgres.resume();
    eventually("health answers 200 again", || (own.get("/api/health").status == 200).then_some(()));
    eventually("reads answer 200 again", || (who.get(&property_path(&property)).status == 200).then_some(()));
    eventually("writes answer again", || {
        (who.put(&property_path(&property), &json!({ "address": "2 Main St" })).status == 200).then_some(())
    });
    assert_eq!(who.get(&property_path(&property)).is(200).json()["address"], "2 Main St");
}
