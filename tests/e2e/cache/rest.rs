//! Redis by the REST protocol of Upstash: what goes over it, and what is different from a connection. The suites to which the
//! protocol could make a difference run by it too (`RENTTRACKER_REDIS=upstash`, `suites.rs`).

use std::sync::Arc;

use serde_json::json;
use stack::{Edition, Redis};
use upstash::Double;

use crate::support::issuer::{Behaviour, KeyServer};
use crate::support::outages::{BRISK, a_full_round};
use crate::support::protocol::TOKEN;
use crate::support::{Cache, Place, Private, Request, World, eventually, property_path, runtime, scratch, trials};

trials![
    a_hit_is_one_request_and_a_miss_is_three,
    a_batch_of_commands_is_one_request,
    no_value_is_read_from_a_replica_that_is_behind,
    flushed_data_are_another_database,
    what_is_stored_is_what_a_connection_would_store,
    a_refused_token_fails_nothing_and_is_in_no_log,
    nothing_that_answers_in_place_of_redis_fails_a_request,
];

fn redis() -> Redis {
    Redis::start(&scratch("redis")).expect("Redis starts")
}

/// A world that goes by REST to a double in front of its Redis.
fn by_rest(changes: &[(&str, &str)]) -> (Private, Double) {
    let redis = redis();
    let double = Double::start(&redis.url(), TOKEN).expect("the double serves");
    let own = Private::by_rest(redis, &double, changes);
    (own, double)
}

fn key(world: &World, place: &Place) -> String {
    world.key(&place.who, &format!("property:{}", place.property))
}

/// How many requests reach the double for each of these: the fewest of some rounds, because an instance that has rested
/// asks once more, which database it is.
fn requests_each(double: &Double, count: u64, work: impl Fn(u64)) -> u64 {
    let round = |round: u64| {
        let before = double.requests();
        (0..count).for_each(|number| work(round * count + number));
        double.requests() - before
    };
    let fewest = (0..3).map(round).min().expect("three rounds");
    // On Spin 4.0 one of eight answers passes counts on first (`platform/src/metrics/flush.rs`).
    let counts = if runtime().edition() == Edition::Spin4_0 { count.div_ceil(8) } else { 0 };
    assert!(fewest % count <= counts, "{fewest} requests for {count}");
    fewest / count
}

fn a_hit_is_one_request_and_a_miss_is_three() {
    let (own, double) = by_rest(&[]);
    let place = Place::of(own.tenant());
    let cold: Vec<String> = (0..30).map(|number| place.who.property_at(&format!("{number} Cold St"))).collect();
    for route in place.routes() {
        eventually("a hit", || (place.who.get(&route).is(200).cache() == Cache::Hit).then_some(()));
    }
    let get = |route: &str, expected| assert_eq!(place.who.get(route).is(200).cache(), expected, "{route}");
    assert_eq!(requests_each(&double, 10, |_| get(&place.property_path(), Cache::Hit)), 1);
    assert_eq!(requests_each(&double, 10, |_| get("/api/properties", Cache::Hit)), 1);
    // The look, the script that takes the lock, and the one that stores.
    let miss = |number: u64| get(&property_path(&cold[usize::try_from(number).expect("few")]), Cache::Stored);
    assert_eq!(requests_each(&double, 10, miss), 3);
    let write = |_| drop(place.who.put(&place.property_path(), &json!({ "address": "1 Main St" })).is(200));
    assert_eq!(requests_each(&double, 10, write), 2);
}

/// A property with so many payments that their keys go to Redis in several scripts.
fn a_batch_of_commands_is_one_request() {
    let (own, double) = by_rest(&[]);
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    let statement = "INSERT INTO payments (tenant_id, property_id, id, amount, payment_date, payment_method_tenant_id, \
            payment_method_id) \
        SELECT tenant_id, property_id, gen_random_uuid(), n, payment_date, payment_method_tenant_id, payment_method_id \
        FROM payments, generate_series(1, 1400) n WHERE tenant_id = $1 AND id = $2::text::uuid";
    assert_eq!(own.execute(statement, &[&place.who.id, &place.payment]), 1400);
    let before = (double.requests(), double.commands()["EVAL"]);
    place.who.delete(&place.property_path()).is(204);
    let (requests, scripts) = (double.requests() - before.0, double.commands()["EVAL"] - before.1);
    assert!(scripts >= 4, "a fence and three batches are {scripts} scripts");
    // The fence, the batches, and of an instance that is made for it the opening and the first counts. One by one they were six and more.
    assert!(requests <= 4, "{scripts} scripts went in {requests} requests");
}

fn no_value_is_read_from_a_replica_that_is_behind() {
    let (primary, replica) = (redis(), redis());
    let double = Double::with_replica(&primary.url(), &replica.url(), TOKEN).expect("the double serves");
    let own = Private::by_rest(primary, &double, &[]);
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    // It has everything as it was, and hears of nothing more.
    let mut behind = redis::Client::open(replica.url()).and_then(|it| it.get_connection()).expect("the replica");
    for name in own.redis_command::<Vec<String>>(&["KEYS", "*"]) {
        let dump: Vec<u8> = own.redis_command(&["DUMP", &name]);
        redis::cmd("RESTORE").arg(&name).arg(600_000).arg(dump).exec(&mut behind).expect("restored");
    }
    place.who.put(&place.property_path(), &json!({ "address": "2 Main St" })).is(200);
    for _ in 0..20 {
        assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "2 Main St");
    }
    place.who.await_hit(&place.property_path());
    // The replica does answer those who ask for a value as such.
    let words = json!(["GET", key(&own, &place)]).to_string();
    let request = Request::new(&double.url(), "POST", "/").header("Authorization", format!("Bearer {TOKEN}"));
    let answer = request.body(words).send_unchecked().is(200).text();
    assert!(answer.contains("1 Main St"), "{answer}");
}

fn flushed_data_are_another_database() {
    let (own, _double) = by_rest(&[]);
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    let (before, name) = (own.epoch(), key(&own, &place));
    let old: Vec<u8> = own.redis_command(&["DUMP", &name]);
    own.execute("UPDATE properties SET address = 'behind the back' WHERE tenant_id = $1", &[&place.who.id]);
    own.redis_command::<()>(&["FLUSHALL"]);
    // The entry alone is back; what it was stored beside is not.
    let mut redis = own.redis_connection();
    redis::cmd("RESTORE").arg(&name).arg(600_000).arg(old).exec(&mut redis).expect("restored");
    for _ in 0..5 {
        assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "behind the back");
    }
    place.who.await_hit(&place.property_path());
    assert!(own.epoch() > before, "it is taken for the one that it was");
}

/// A sealed entry is bytes of every kind. Two hosts that go different ways could read each other's.
fn what_is_stored_is_what_a_connection_would_store() {
    let (own, _double) = by_rest(&[("cache_seal_key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")]);
    for number in 0..20 {
        let who = own.tenant();
        let place = Place { property: who.property_at(&format!("{number} Ünicode St")), payment: String::new(), who };
        let body = place.who.get(&place.property_path()).is(200).body;
        assert_eq!(place.who.get(&place.property_path()).is(200).cache(), Cache::Hit);
        let name = key(&own, &place);
        let stored: Vec<u8> = own.redis_command(&["GET", &name]);
        // Header, nonce and numbers; the key and the end of its line; the tag (`cache/src/entry/envelope.rs`).
        assert_eq!(stored.len(), 3 + 24 + 20 + name.len() + 1 + body.len() + 16);
        assert!(stored.starts_with(b"RT\x02"));
    }
}

fn a_refused_token_fails_nothing_and_is_in_no_log() {
    let (own, _double) = by_rest(&BRISK);
    a_full_round(&own.tenant());
    let wrong = "a-token-that-was-withdrawn";
    let (refused, _double) = by_rest(&[&BRISK[..], &[("redis_token", wrong)]].concat());
    for _ in 0..2 {
        a_full_round(&refused.tenant());
    }
    let log = |of: &Private| std::fs::read_to_string(of.log()).expect("a log");
    eventually("the log says what to mend", || log(&refused).contains("redis_token is not taken").then_some(()));
    assert_eq!(refused.administrator().get("/api/health").is(200).json()["status"], "Degraded");
    assert!(!log(&refused).contains(wrong));
    assert!(!log(&own).contains(TOKEN));
}

fn nothing_that_answers_in_place_of_redis_fails_a_request() {
    let somebody = KeyServer::start(Behaviour::body("<html>It works!</html>"));
    let url = somebody.base_url();
    let way = [("redis_url", url.as_str()), ("redis_address", &url), ("redis_token", TOKEN)];
    let own = Private::without_redis(&[&BRISK[..], &way].concat());
    let answer = |status, body: &str| Behaviour::Answer(status, "", Arc::new(body.into()));
    let log = || std::fs::read_to_string(own.log()).expect("a log");
    for (behaviour, told) in [
        (Behaviour::body("<html>It works!</html>"), "no answer of the REST API"),
        (answer(200, r#"{"result":"b3RoZXI="}"#), ""),
        (answer(200, "[]"), ""),
        (answer(400, r#"{"error":"ERR unknown command"}"#), ""),
        (answer(429, "slow down"), "it answered 429"),
        (answer(500, ""), ""),
        (Behaviour::Silence, ""),
        (Behaviour::HangUp, ""),
        (Behaviour::Endless, ""),
    ] {
        somebody.now(behaviour);
        let before = somebody.requests();
        let who = own.tenant();
        a_full_round(&who);
        let property = who.property_at("1 Main St");
        eventually("it is asked", || {
            assert_ne!(who.get(&property_path(&property)).is(200).cache(), Cache::Hit);
            (somebody.requests() > before && log().contains(told)).then_some(())
        });
    }
}
