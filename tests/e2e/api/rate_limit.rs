//! What a tenant may send.

use crate::support::{Answer, Private, Tenant, eventually, token, trials, world};
use serde_json::json;

trials![
    a_tenant_over_its_limit_gets_429_with_retry_after,
    writes_are_limited_too,
    administrators_are_not_limited,
    by_default_there_is_no_limit,
];

/// One request in ten seconds would do as well; one a second is the least there is.
fn world_with_budget(burst: &str) -> Private {
    Private::with(&[("tenant_requests_per_second", "1"), ("tenant_burst", burst)])
}

/// Sends until it is too much.
#[track_caller]
fn too_much(mut send: impl FnMut() -> Answer) -> Answer {
    for _ in 0..100 {
        let answer = send();
        if answer.status == 429 {
            return answer;
        }
        assert!(answer.status < 300, "{answer}");
    }
    panic!("a hundred requests were let through");
}

fn list(who: &Tenant) -> Answer {
    who.get("/api/properties")
}

fn a_tenant_over_its_limit_gets_429_with_retry_after() {
    let own = world_with_budget("3");
    let (greedy, modest) = (own.tenant(), own.tenant());
    // Three at once are always let through.
    for _ in 0..3 {
        list(&greedy).is(200);
    }
    let answer = too_much(|| list(&greedy));
    answer.problem(429);
    assert_eq!(answer.needs("retry-after"), "1", "{answer}");
    list(&modest).is(200);
    // Another token of the same tenant does not help, and a bad one is bad all the same.
    let mut claims = token::claims(&greedy.id);
    claims["jti"] = "another".into();
    let other = own.bearer(&greedy.id, token::sign(&claims, &own.secret));
    too_much(|| list(&other));
    own.bearer(&greedy.id, "a.b.c".into()).get("/api/properties").is(401);
    eventually("the greedy one is let through again", || (list(&greedy).status == 200).then_some(()));
}

fn writes_are_limited_too() {
    let own = world_with_budget("2");
    let who = own.tenant();
    let mut sent = 0;
    too_much(|| {
        sent += 1;
        who.post("/api/properties", &json!({ "address": format!("{sent} Main St") }))
    });
    let admitted = sent - 1;
    let count = eventually("the list is let through", || {
        let answer = list(&who);
        (answer.status == 200).then(|| answer.json()["totalCount"].clone())
    });
    assert_eq!(count, admitted, "what was refused was not done");
}

fn administrators_are_not_limited() {
    let own = world_with_budget("1");
    let operator = own.administrator();
    for _ in 0..20 {
        operator.get("/api/cache/breaker").is(200);
    }
    assert!(operator.get("/api/health").is(200).json()["version"].is_string());
}

fn by_default_there_is_no_limit() {
    let who = world().tenant();
    for _ in 0..50 {
        list(&who).is(200);
    }
}
