//! More than one Redis alive, as in a failover: hosts that reach different servers, a replica, a master that was one.

use serde_json::json;
use stack::Redis;

use crate::world::{Cache, Place, Private, World, eventually, scratch, trials};

trials![two_masters_at_once_serve_nothing_old, a_replica_is_not_used, a_master_that_has_been_a_replica_is_another_one,];

/// Another host, whose way leads to another Redis.
fn host_on(own: &Private, redis: &Redis) -> (stack::Host, World) {
    let url = redis.url();
    own.another_host_with(&[("redis_url", &url), ("redis_address", &url)])
}

fn await_hit(place: &Place) {
    let hits = || place.who.get(&place.property_path()).is(200).cache() == Cache::Hit;
    eventually("a hit", || hits().then_some(()));
}

fn run(redis: &Redis, words: &[&str]) {
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut connection = client.get_connection().expect("Redis answers");
    redis::Cmd::new().arg(words).query::<()>(&mut connection).unwrap_or_else(|error| panic!("{words:?}: {error}"));
}

fn replicate(replica: &Redis, master: &Redis) {
    run(replica, &["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    eventually("the replica has caught up", || {
        let info = replica.info("replication").expect("Redis answers");
        info.contains("master_link_status:up").then_some(())
    });
}

/// A master that was cut off and the one that replaced it: a reader that still may act on its lease reads from the one
/// while a writer has gone over to the other.
fn two_masters_at_once_serve_nothing_old() {
    let own = Private::start();
    let second = Redis::start(&scratch("redis")).expect("Redis starts");
    let (_host, other) = host_on(&own, &second);
    let place = Place::of(own.tenant());
    let there = other.tenant_named(&place.who.id);
    for round in 0..5 {
        await_hit(&place);
        let address = format!("{round} Other St");
        there.put(&place.property_path(), &json!({ "address": address })).is(200);
        let seen = place.who.get(&place.property_path()).is(200);
        assert_eq!(seen.json()["address"], address, "round {round}: {seen}");
    }
}

fn a_replica_is_not_used() {
    let mut own = Private::start();
    let replica = Redis::start(&scratch("redis")).expect("Redis starts");
    replicate(&replica, own.redis());
    let place = Place::of(own.tenant());
    await_hit(&place);
    let (_host, other) = host_on(&own, &replica);
    let there = other.tenant_named(&place.who.id);
    for _ in 0..20 {
        assert_eq!(there.get(&place.property_path()).is(200).cache(), Cache::Bypass);
        assert_eq!(place.who.get(&place.property_path()).is(200).cache(), Cache::Hit, "the master is used as before");
    }
    there.put(&place.property_path(), &json!({ "address": "2 Main St" })).is(200);
    assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "2 Main St");
}

/// Its `run_id` is the old one, and its data are those of a replica that had missed an invalidation.
fn a_master_that_has_been_a_replica_is_another_one() {
    let mut own = Private::start();
    let second = Redis::start(&scratch("redis")).expect("Redis starts");
    let place = Place::of(own.tenant());
    await_hit(&place);
    replicate(&second, own.redis());
    run(&second, &["REPLICAOF", "NO", "ONE"]);
    place.who.put(&place.property_path(), &json!({ "address": "2 Main St" })).is(200);
    let first = own.redis();
    replicate(first, &second);
    run(first, &["REPLICAOF", "NO", "ONE"]);
    // As Sentinel does with every change of role.
    run(first, &["CLIENT", "KILL", "TYPE", "normal"]);
    let old: bool = own.redis_command(&["EXISTS", &own.key(&place.who, &format!("property:{}", place.property))]);
    assert!(old, "there is an old entry to be told");
    assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "2 Main St");
    await_hit(&place);
}
