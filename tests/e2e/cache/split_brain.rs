//! More than one Redis alive, as in a failover: hosts that reach different servers, a replica, a master that was one.

use std::process::Command;

use serde_json::json;
use stack::Redis;

use crate::support::{Cache, Place, Private, World, eventually, scratch, trials};

trials![
    two_masters_at_once_serve_nothing_stale,
    a_replica_is_not_used,
    a_master_that_was_a_replica_gets_a_new_epoch,
    a_promotion_without_a_trace_in_redis_gets_a_new_epoch,
    a_backup_a_first_replica_and_a_freed_backlog_keep_the_epoch,
];

/// Another host, whose way leads to another Redis.
fn host_on(own: &Private, redis: &Redis) -> (stack::Host, World) {
    let url = redis.url();
    own.another_host_with(&[("redis_url", &url), ("redis_address", &url)])
}

fn run(redis: &Redis, words: &[&str]) {
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut connection = client.get_connection().expect("Redis answers");
    redis::Cmd::new().arg(words).query::<()>(&mut connection).unwrap_or_else(|error| panic!("{words:?}: {error}"));
}

/// Makes one a replica of the other, and waits until it has its data.
pub fn replicate(replica: &Redis, master: &Redis) {
    run(replica, &["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    eventually("the replica has caught up", || {
        let info = replica.info("replication").expect("Redis answers");
        info.contains("master_link_status:up").then_some(())
    });
}

/// A master that was cut off and the one that replaced it: a reader that still may act on its lease reads from the one
/// while a writer has gone over to the other.
fn two_masters_at_once_serve_nothing_stale() {
    let own = Private::start();
    let second = Redis::start(&scratch("redis")).expect("Redis starts");
    let (_host, other) = host_on(&own, &second);
    let place = Place::of(own.tenant());
    let there = other.tenant_named(&place.who.id);
    for round in 0..5 {
        place.who.await_hit(&place.property_path());
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
    place.who.await_hit(&place.property_path());
    let (_host, other) = host_on(&own, &replica);
    let there = other.tenant_named(&place.who.id);
    for _ in 0..20 {
        assert_eq!(there.get(&place.property_path()).is(200).cache(), Cache::Bypass);
        assert_eq!(place.who.get(&place.property_path()).is(200).cache(), Cache::Hit, "the master is used as before");
    }
    there.put(&place.property_path(), &json!({ "address": "2 Main St" })).is(200);
    assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "2 Main St");
}

/// The first server of `own` becomes a replica of one that was its replica and has missed an invalidation, and a master again. Its
/// `run_id` is the old one.
fn a_spell_as_a_replica(own: &mut Private, place: &Place) {
    let second = Redis::start(&scratch("redis")).expect("Redis starts");
    place.who.await_hit(&place.property_path());
    replicate(&second, own.redis());
    run(&second, &["REPLICAOF", "NO", "ONE"]);
    place.who.put(&place.property_path(), &json!({ "address": "2 Main St" })).is(200);
    let first = own.redis();
    replicate(first, &second);
    run(first, &["REPLICAOF", "NO", "ONE"]);
}

/// There is an old entry, and it is not told.
fn is_another_one(own: &Private, place: &Place, epoch: u64) {
    // As Sentinel does with every change of role.
    let _: i64 = own.redis_command(&["CLIENT", "KILL", "TYPE", "normal"]);
    let old: bool = own.redis_command(&["EXISTS", &own.key(&place.who, &format!("property:{}", place.property))]);
    assert!(old, "there is an old entry to be told");
    assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "2 Main St");
    place.who.await_hit(&place.property_path());
    assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "2 Main St");
    assert!(own.epoch() > epoch, "the epoch stays {epoch}");
}

/// What `INFO` says after `name:`.
fn says(redis: &Redis, name: &str) -> Option<String> {
    let info = redis.info("").expect("Redis answers");
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(|value| value.trim().to_owned())
}

fn a_master_that_was_a_replica_gets_a_new_epoch() {
    let mut own = Private::start();
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    let before = own.epoch();
    a_spell_as_a_replica(&mut own, &place);
    is_another_one(&own, &place, before);
}

/// With the backlog the server lets go of `master_replid2`, and looks as one does that was only copied. What is left is what it
/// received.
fn a_promotion_without_a_trace_in_redis_gets_a_new_epoch() {
    let mut own = Private::start();
    if says(own.redis(), "total_net_repl_input_bytes").is_none() {
        println!("left out: before version 7.0 Redis does not count what it receives");
        return;
    }
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    let before = own.epoch();
    a_spell_as_a_replica(&mut own, &place);
    run(own.redis(), &["CONFIG", "SET", "repl-backlog-ttl", "1"]);
    eventually("the promotion is forgotten", || {
        says(own.redis(), "master_replid2").filter(|id| id.bytes().all(|byte| byte == b'0')).map(drop)
    });
    is_another_one(&own, &place, before);
}

/// Each gives a lone master a new `master_replid`: see `replication.c` (`syncCommand`, `replicationCron`) of Redis 6.2 to 8.2 and
/// of Valkey 9.1.
fn a_backup_a_first_replica_and_a_freed_backlog_keep_the_epoch() {
    let mut own = Private::start();
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    let before = own.epoch();
    let mut history = says(own.redis(), "master_replid");
    let mut stays = |own: &mut Private, what: &str| {
        let now = eventually(what, || says(own.redis(), "master_replid").filter(|now| Some(now) != history.as_ref()));
        history = Some(now);
        // An instance of the host serves 128 requests, and the next opens a connection of its own.
        let hits = (0..400).filter(|_| place.who.get(&place.property_path()).is(200).cache() == Cache::Hit).count();
        assert_eq!((hits, own.epoch()), (400, before), "hits and epoch after {what}");
    };

    let copy = scratch("copy").with_extension("rdb");
    let port = own.redis().port().to_string();
    let status = Command::new("redis-cli").args(["-p", &port, "--rdb"]).arg(&copy).output().expect("redis-cli runs");
    assert!(status.status.success(), "{status:?}");
    stays(&mut own, "a backup");
    run(own.redis(), &["CONFIG", "SET", "repl-backlog-ttl", "1"]);
    stays(&mut own, "a backlog let go");
    let second = Redis::start(&scratch("redis")).expect("Redis starts");
    replicate(&second, own.redis());
    stays(&mut own, "a first replica");
}
