//! A Redis that answers and that the cache cannot be in: told by its first connection, said in health, and no write waits for it.

use std::time::{Duration, Instant};

use serde_json::json;
use stack::Redis;

use crate::support::{Cache, Place, Private, World, eventually, scratch, trials};

trials![
    redis_in_cluster_mode_is_refused_with_a_sentence,
    a_replica_is_refused_with_a_sentence,
    a_url_that_asks_for_resp3_is_refused_with_a_sentence,
];

/// Far longer than a write takes: what each write would wait whose fence cannot be put up.
const LEASE: Duration = Duration::from_secs(4);
/// The breaker is tried again soon, so that writes meet the moment in which it could be.
const VARIABLES: [(&str, &str); 3] =
    [("breaker_lease_ms", "4000"), ("breaker_reset_seconds", "1"), ("breaker_max_reset_seconds", "1")];

/// A host with a key-value store of its own, whose Redis is at `url`, says why it does without, and its writes do not wait.
fn refuses(own: &Private, url: &str, address: &str, sentence: &str) {
    let changes = [&VARIABLES[..], &[("redis_url", url), ("redis_address", address)]].concat();
    let (_host, world) = own.host_apart(&changes);
    let health = |world: &World| world.administrator().get("/api/health").is(200).json();
    eventually("health says why", || {
        let told = health(&world);
        let reason = told["breaker"]["reason"].as_str().unwrap_or_default();
        (told["status"] == "Degraded" && reason.contains(sentence)).then_some(())
    });
    let place = Place::of(world.tenant());
    // Until then an instance might act on what it knew before the first of all records was made.
    let failed = "renttracker_cache_fences_total{result=\"failed\"}";
    let before = world.metric(failed);
    let mut longest = Duration::ZERO;
    let mut number = 0;
    eventually("two writes have found that they cannot have a fence", || {
        number += 1;
        let address = format!("{number} Main St");
        let began = Instant::now();
        place.who.put(&place.property_path(), &json!({ "address": address })).is(200);
        longest = longest.max(began.elapsed());
        let seen = place.who.get(&place.property_path()).is(200);
        assert_eq!((&seen.json()["address"], seen.cache()), (&json!(address), Cache::Bypass), "{seen}");
        (world.metric(failed) >= before + 2).then_some(())
    });
    assert!(longest < LEASE, "a write took {longest:?}, as if it had waited for leases that nobody has");
    let told = health(&world);
    assert!(told["breaker"]["reason"].as_str().is_some_and(|reason| reason.contains(sentence)), "{told}");
}

fn redis_in_cluster_mode_is_refused_with_a_sentence() {
    let own = Private::start();
    let cluster = Redis::start_with(&scratch("redis"), 0, &["--cluster-enabled", "yes"]).expect("Redis starts");
    let client = redis::Client::open(cluster.url()).expect("a URL");
    let mut connection = client.get_connection().expect("Redis answers");
    let slots = (0..16_384).map(|slot: u32| slot.to_string()).collect::<Vec<_>>();
    redis::cmd("CLUSTER").arg("ADDSLOTS").arg(&slots).query::<()>(&mut connection).expect("all slots");
    refuses(&own, &cluster.url(), &cluster.url(), "it runs in cluster mode");
}

fn a_replica_is_refused_with_a_sentence() {
    let mut own = Private::start();
    let replica = Redis::start(&scratch("redis")).expect("Redis starts");
    crate::cache::split_brain::replicate(&replica, own.redis());
    refuses(&own, &replica.url(), &replica.url(), "it is a replica");
}

fn a_url_that_asks_for_resp3_is_refused_with_a_sentence() {
    let mut own = Private::start();
    let address = own.redis().url();
    refuses(&own, &format!("{address}/?protocol=resp3"), &address, "asks for RESP3");
}
