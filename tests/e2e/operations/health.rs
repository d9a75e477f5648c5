//! Health: what a load balancer asks.

use serde_json::json;

use crate::support::outages::BRISK;
use crate::support::{Answer, Place, Private, eventually, trials, world};

trials![
    health_needs_no_token,
    health_without_a_token_shows_states_alone,
    health_ignores_a_bad_token,
    health_is_not_cached,
    health_stays_up_without_redis,
    health_is_degraded_while_redis_is_away,
    an_administrator_sees_reasons_and_counts,
    livez_answers_while_readyz_is_503,
];

fn health_needs_no_token() {
    // The very first requests of a new deployment may come before its cache is let in.
    let answer = eventually("all is well", || {
        let answer = world().get("/api/health").is(200);
        (answer.json() == json!({ "status": "Healthy", "database": "Connected" })).then_some(answer)
    });
    assert_eq!(answer.needs("content-type"), "application/json");
}

fn health_without_a_token_shows_states_alone() {
    // A landlord is no operator.
    let members = |answer: Answer| answer.json().as_object().map_or(0, serde_json::Map::len);
    assert_eq!(members(world().tenant().get("/api/health").is(200)), 2);
    assert_eq!(members(world().get("/api/health")), 2);
}

fn health_ignores_a_bad_token() {
    world().request("GET", "/api/health").header("Authorization", "Bearer x").send().is(200);
}

fn health_is_not_cached() {
    let control = world().get("/api/health").is(200).needs("cache-control");
    assert!(control.contains("no-cache") || control.contains("no-store"), "{control}");
}

fn health_stays_up_without_redis() {
    let own = Private::without_redis(&[]);
    eventually("health answers 200 without Redis", || (own.get("/api/health").status == 200).then_some(()));
    assert_eq!(own.get("/api/health").is(200).json()["database"], "Connected");
}

fn health_is_degraded_while_redis_is_away() {
    let mut own = Private::with(&BRISK);
    eventually("all is well", || says(&own, "Healthy"));
    own.redis().kill();
    eventually("the cache is missed", || says(&own, "Degraded"));
    own.redis().restart().expect("Redis comes back");
    eventually("all is well again", || says(&own, "Healthy"));
}

/// Whether health, which must answer 200, says `status`.
fn says(own: &Private, status: &str) -> Option<()> {
    (own.get("/api/health").is(200).json() == json!({ "status": status, "database": "Connected" })).then_some(())
}

fn an_administrator_sees_reasons_and_counts() {
    let own = Private::start();
    let place = Place::of(own.tenant());
    for _ in 0..4 {
        place.who.get(&place.property_path()).is(200);
        place.who.get("/api/properties").is(200);
    }
    let told = eventually("the counts have been told", || {
        let told = own.administrator().get("/api/health").is(200).json();
        (told["cache"]["overall"]["hits"].as_i64() >= Some(6)).then_some(told)
    });
    assert_eq!(told["status"], "Healthy");
    assert_eq!(told["redis"]["status"], "Connected");
    assert!(told["redis"]["p50Ms"].as_f64() > Some(0.0) && told["redis"]["p99Ms"].is_number(), "{told}");
    assert!(told["redis"]["memoryBytes"].as_u64() > Some(0), "{told}");
    assert_eq!(told["breaker"]["state"], "closed");
    for member in ["mode", "since", "reason"] {
        assert!(told["breaker"][member].is_string(), "{told}");
    }
    for kind in ["list", "single", "overall"] {
        assert!(told["cache"][kind]["ratio"].as_f64() > Some(0.0), "{told}");
    }
    assert_eq!(told["epoch"], told["breaker"]["epoch"]);
    assert!(told["outbox"]["rows"].is_i64() && told["outbox"]["oldestSeconds"].is_i64() && told["version"].is_string());
}

fn livez_answers_while_readyz_is_503() {
    let own = Private::on_database("postgres://nobody@127.0.0.1:1/none", &[]);
    own.get("/livez").is(200);
    own.get("/readyz").problem(503);
    world().get("/livez").is(200);
    world().get("/readyz").is(200);
    world().request("HEAD", "/readyz").send().is(200);
    world().request("POST", "/livez").send().is(405);
}
