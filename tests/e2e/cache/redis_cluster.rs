//! Redis in cluster mode, where all keys lie in one slot (`redis_hash_tags`), and hosts of which some use such keys and some do not.

use std::collections::BTreeSet;

use serde_json::json;
use stack::Redis;

use crate::support::{Cache, Place, Private, World, eventually, scratch, trials};

trials![
    entries_locks_and_the_deployments_own_keys_lie_in_one_slot,
    operations_that_walk_keys_find_those_with_a_hash_tag,
    hosts_with_and_without_hash_tags_serve_nothing_stale,
    a_node_without_the_slot_is_refused_with_a_sentence,
    a_slot_that_moves_away_takes_the_cache_out_of_use_and_fails_no_request,
];

const TAGGED: (&str, &str) = ("redis_hash_tags", "true");
/// The breaker is tried again soon.
const BRISK: [(&str, &str); 3] = [TAGGED, ("breaker_reset_seconds", "1"), ("breaker_max_reset_seconds", "1")];

fn in_cluster_mode() -> Redis {
    Redis::start_in_cluster_mode(&scratch("redis")).expect("Redis starts")
}

fn ask<T: redis::FromRedisValue>(url: &str, words: &[&str]) -> T {
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client.get_connection().expect("Redis answers");
    redis::Cmd::new().arg(words).query(&mut connection).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

fn reason(world: &World) -> String {
    let told = world.administrator().get("/api/health").is(200).json();
    told["breaker"]["reason"].as_str().unwrap_or_default().to_owned()
}

fn entries_locks_and_the_deployments_own_keys_lie_in_one_slot() {
    let own = Private::on_redis(in_cluster_mode(), &[TAGGED, ("read_lease_ms", "50")]);
    let [place, neighbour] = [Place::of(own.tenant()), Place::of(own.tenant())];
    for place in [&place, &neighbour] {
        place.routes().iter().for_each(|route| drop(place.who.await_hit(route)));
        place.who.put(&place.property_path(), &json!({ "address": "2 Main St" })).is(200);
        assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "2 Main St");
    }
    let keys: Vec<String> = own.redis_command(&["KEYS", "*"]);
    let slots: BTreeSet<u16> = keys.iter().map(|key| own.redis_command(&["CLUSTER", "KEYSLOT", key])).collect();
    assert_eq!(slots.len(), 1, "{keys:?}");
    for part in [&place.who.id, &neighbour.who.id, "~leases"] {
        assert!(keys.iter().any(|key| key.contains(part)), "{part} in {keys:?}");
    }
}

fn operations_that_walk_keys_find_those_with_a_hash_tag() {
    let own = Private::on_redis(in_cluster_mode(), &[TAGGED]);
    let place = Place::of(own.tenant());
    place.routes().iter().for_each(|route| drop(place.who.await_hit(route)));
    let operator = own.administrator();
    let entries = own.keys_of(&place.who).len();
    assert!(entries > 2);
    let verified = operator.post("/api/cache/verify", &json!({})).is(200).json();
    assert!(verified["checked"].as_u64() >= Some(entries as u64), "{verified}");
    operator.post("/api/cache/drain", &json!({})).is(200);
    let removed = place.who.delete("/api/cache?pattern=*").is(200).json();
    assert_eq!(removed["removed"], entries, "{removed}");
    assert_eq!(place.who.get(&place.property_path()).is(200).cache(), Cache::Stored);
}

/// As during a rolling change of the variable: the keys of each form are unknown to hosts of the other.
fn hosts_with_and_without_hash_tags_serve_nothing_stale() {
    let own = Private::with(&[("redis_hash_tags", "false")]);
    let (_host, other) = own.another_host_with(&[TAGGED]);
    let place = Place::of(own.tenant());
    let there = other.tenant_named(&place.who.id);
    for round in 0..3 {
        // Each form is trusted in turn, and begins with another epoch.
        for (reader, writer) in [(&place.who, &there), (&there, &place.who)] {
            reader.await_hit(&place.property_path());
            let address = format!("{round} {} St", writer.get(&place.property_path()).is(200).etag().trim_matches('"'));
            writer.put(&place.property_path(), &json!({ "address": address })).is(200);
            for asking in [reader, writer] {
                let seen = asking.get(&place.property_path()).is(200);
                assert_eq!(seen.json()["address"], address, "round {round}: {seen}");
            }
        }
    }
}

/// Two nodes, the second of which has every slot.
fn another_node_has_the_slots(first: &str) -> Redis {
    let second = in_cluster_mode();
    let id: String = ask(&second.url(), &["CLUSTER", "MYID"]);
    // Without slots of its own, it learns from the other who has them.
    ask::<()>(first, &["CLUSTER", "FLUSHSLOTS"]);
    ask::<()>(first, &["CLUSTER", "MEET", "127.0.0.1", &second.port().to_string()]);
    eventually("the nodes know each other", || {
        let nodes: String = ask(first, &["CLUSTER", "NODES"]);
        nodes.lines().any(|node| node.starts_with(&id) && node.ends_with("0-16383")).then_some(())
    });
    second
}

fn a_node_without_the_slot_is_refused_with_a_sentence() {
    let first = in_cluster_mode();
    let second = another_node_has_the_slots(&first.url());
    let own = Private::on_redis(first, &BRISK);
    let place = Place::of(own.tenant());
    for number in 0..5 {
        let address = format!("{number} Main St");
        place.who.put(&place.property_path(), &json!({ "address": address })).is(200);
        let seen = place.who.get(&place.property_path()).is(200);
        assert_eq!((&seen.json()["address"], seen.cache()), (&json!(address), Cache::Bypass), "{seen}");
    }
    eventually("health says why", || reason(&own).contains("is not on this node of the cluster").then_some(()));
    // The node that has the slot is of use.
    let (_host, there) = own.host_apart(&[("redis_url", &second.url()), ("redis_address", &second.url())]);
    there.tenant_named(&place.who.id).await_hit(&place.property_path());
}

fn a_slot_that_moves_away_takes_the_cache_out_of_use_and_fails_no_request() {
    let own = Private::on_redis(in_cluster_mode(), &BRISK);
    let place = Place::of(own.tenant());
    place.who.await_hit(&place.property_path());
    let second = in_cluster_mode();
    let (first, second_url) = (own.redis_url.as_str(), second.url());
    let [here, there] = [first, &second_url].map(|url| ask::<String>(url, &["CLUSTER", "MYID"]));
    let slot: u16 = ask(first, &["CLUSTER", "KEYSLOT", &own.key(&place.who, "property:list")]);
    ask::<()>(&second_url, &["CLUSTER", "FLUSHSLOTS"]);
    ask::<()>(first, &["CLUSTER", "MEET", "127.0.0.1", &second.port().to_string()]);
    eventually("the nodes know each other", || {
        let [by_first, by_second] = [first, &second_url].map(|url| ask::<String>(url, &["CLUSTER", "NODES"]));
        let is_told = by_second.lines().any(|node| node.starts_with(&here) && node.ends_with("0-16383"));
        (is_told && by_first.contains(&there)).then_some(())
    });
    let give_to = |id: &str, urls: [&str; 2]| {
        for url in urls {
            // A node gives away no slot that has keys.
            ask::<Vec<String>>(url, &["KEYS", "*"]).iter().for_each(|key| ask::<()>(url, &["DEL", key]));
            ask::<()>(url, &["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", id]);
        }
    };
    give_to(&there, [&second_url, first]);
    let mut address = String::new();
    eventually("health says why", || {
        address.push('x');
        place.who.put(&place.property_path(), &json!({ "address": address })).is(200);
        let seen = place.who.get(&place.property_path()).is(200);
        assert_eq!(seen.json()["address"], address, "{seen}");
        reason(&own).contains("is not on this node of the cluster").then_some(())
    });
    give_to(&here, [first, &second_url]);
    eventually("the cache is used again", || {
        let seen = place.who.get(&place.property_path()).is(200);
        assert_eq!(seen.json()["address"], address, "{seen}");
        (seen.cache() == Cache::Hit).then_some(())
    });
}
