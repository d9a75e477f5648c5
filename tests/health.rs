//! Health: what a load balancer asks.

use serde_json::json;

use crate::world::{Answer, Private, eventually, trials, world};

trials![
    health_needs_no_token,
    health_says_no_more_than_it_should,
    health_takes_no_notice_of_a_bad_token,
    health_is_not_kept_by_caches,
    health_stays_up_without_redis,
];

fn health_needs_no_token() {
    // The very first requests of a new deployment may come before its cache is let in.
    let answer = eventually("all is well", || {
        let answer = world().get("/api/health").is(200);
        (answer.json() == json!({ "status": "Healthy", "database": "Connected" })).then_some(answer)
    });
    assert_eq!(answer.needs("content-type"), "application/json");
}

fn health_says_no_more_than_it_should() {
    // A landlord is no operator.
    let members = |answer: Answer| answer.json().as_object().map_or(0, serde_json::Map::len);
    assert_eq!(members(world().tenant().get("/api/health").is(200)), 2);
    assert_eq!(members(world().get("/api/health")), 2);
}

fn health_takes_no_notice_of_a_bad_token() {
    world().request("GET", "/api/health").header("Authorization", "Bearer x").send().is(200);
}

fn health_is_not_kept_by_caches() {
    let control = world().get("/api/health").is(200).needs("cache-control");
    assert!(control.contains("no-cache") || control.contains("no-store"), "{control}");
}

fn health_stays_up_without_redis() {
    let own = Private::without_redis(&[]);
    eventually("health answers 200 without Redis", || (own.get("/api/health").status == 200).then_some(()));
    assert_eq!(own.get("/api/health").is(200).json()["database"], "Connected");
}
