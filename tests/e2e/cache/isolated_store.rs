//! Hosts that have a key-value store each (`key_value_shared = false`), and so no common breaker.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::support::outages::BRISK;
use crate::support::{Cache, Place, Private, Tenant, trials};

trials![
    an_isolated_host_never_serves_what_another_without_redis_has_replaced,
    hosts_with_their_own_stores_hit_each_others_entries,
    hosts_that_wrongly_claim_a_shared_store_serve_stale_rows,
];

/// An address where nothing listens.
const NOWHERE: [(&str, &str); 2] = [("redis_url", "redis://127.0.0.1:1"), ("redis_address", "redis://127.0.0.1:1")];
const ROUNDS: u32 = 3;
/// Reads after each write, without a pause.
const READS: u32 = 200;

fn isolated() -> Private {
    let mut changes = BRISK.to_vec();
    changes.push(("key_value_shared", "false"));
    Private::with(&changes)
}

fn address_of(who: &Tenant, route: &str) -> (String, Cache) {
    let answer = who.get(route).is(200);
    (answer.json()["address"].as_str().expect("an address").to_owned(), answer.cache())
}

fn an_isolated_host_never_serves_what_another_without_redis_has_replaced() {
    let own = isolated();
    let (_host, cut) = own.host_apart(&NOWHERE);
    let place = Place::of(own.tenant());
    let route = place.property_path();
    let writer = cut.tenant_named(&place.who.id);
    let answered = AtomicBool::new(false);
    for round in 0..ROUNDS {
        // It is let in again by itself each time, and holds the entry of the round before.
        place.who.await_hit(&route);
        answered.store(false, Ordering::SeqCst);
        let new = format!("{round} New St");
        std::thread::scope(|scope| {
            // Its lease is renewed all the time.
            let reader = scope.spawn(|| {
                let (mut before, mut after) = (0, 0);
                while after < READS {
                    let is_answered = answered.load(Ordering::SeqCst);
                    let (address, _) = address_of(&place.who, &route);
                    assert!(!is_answered || address == new, "{address} after {after} reads");
                    *if is_answered { &mut after } else { &mut before } += 1;
                }
                before
            });
            writer.put(&route, &json!({ "address": new })).is(200);
            answered.store(true, Ordering::SeqCst);
            let before = reader.join().unwrap_or_else(|its_words| std::panic::resume_unwind(its_words));
            assert!(before > 0, "nothing was read while the write was under way");
        });
    }
    let log = std::fs::read_to_string(own.log()).expect("a log");
    assert!(log.contains("an invalidation was missed"), "the other host never left the cache alone");
}

fn hosts_with_their_own_stores_hit_each_others_entries() {
    let own = isolated();
    let (_host, other) = own.host_apart(&[]);
    let place = Place::of(own.tenant());
    let route = place.property_path();
    let there = other.tenant_named(&place.who.id);
    place.who.await_hit(&route);
    there.await_hit(&route);
    for _ in 0..20 {
        assert_eq!([&place.who, &there].map(|who| address_of(who, &route).1), [Cache::Hit; 2]);
    }
    // A write through either is seen through the other, and costs neither the cache.
    there.put(&route, &json!({ "address": "2 Main St" })).is(200);
    assert_eq!(address_of(&place.who, &route).0, "2 Main St");
    assert_eq!(address_of(&place.who, &route).1, Cache::Hit);
}

/// What the variable is for: with separate stores and `key_value_shared = true` nobody tells the other host.
fn hosts_that_wrongly_claim_a_shared_store_serve_stale_rows() {
    let own = Private::with(&BRISK);
    let (_host, cut) = own.host_apart(&NOWHERE);
    let place = Place::of(own.tenant());
    let route = place.property_path();
    place.who.await_hit(&route);
    cut.tenant_named(&place.who.id).put(&route, &json!({ "address": "2 Main St" })).is(200);
    assert_eq!(address_of(&place.who, &route), ("1 Main St".into(), Cache::Hit));
}
