//! Whoever asks is who the token says: nothing else in a request names a landlord.

use std::collections::BTreeMap;

use serde_json::json;

use crate::auth::tenancy::two;
use crate::support::{payments_path, property_path, trials, world};

trials![no_header_query_or_body_names_another_landlord];

/// Names under which other systems take a landlord from a request.
const HEADERS: [&str; 12] = [
    "X-Tenant-Id",
    "X-TenantId",
    "X-Tenant",
    "Tenant-Id",
    "X-Landlord-Id",
    "X-User-Id",
    "X-Forwarded-User",
    "X-Authenticated-User",
    "X-Original-User",
    "Remote-User",
    "From",
    "Cookie",
];
const MEMBERS: [&str; 10] =
    ["tenantId", "tenant_id", "TenantId", "tenant", "landlordId", "landlord_id", "userId", "user_id", "ownerId", "sub"];

/// Bob asks in Alice's name, in every way but with her token: each request is taken as his own.
fn no_header_query_or_body_names_another_landlord() {
    let (alice, bob) = two();
    let (theirs, own) = (property_path(&alice.property), property_path(&bob.property));
    let before = (alice.who.get("/api/properties").is(200).body, alice.who.get(&theirs).is(200).body);
    let mut kinds = BTreeMap::new();
    let mut tried = |kind: &'static str| *kinds.entry(kind).or_insert(0) += 1;

    for header in HEADERS {
        let value = if header == "Cookie" {
            format!("tenantId={0}; tenant_id={0}", alice.who.id)
        } else {
            alice.who.id.clone()
        };
        let ask = |method: &str, path: &str| bob.who.request(method, path).header(header, value.as_str());
        bob.owns(&ask("GET", "/api/properties").send());
        ask("GET", &theirs).send().problem(404);
        ask("PUT", &theirs).json(&json!({ "address": "stolen" })).send().problem(404);
        ask("DELETE", &theirs).send().problem(404);
        for _ in 0..4 {
            tried("header");
        }
    }
    // A second token in the same request is no way in either: which of the two counts is not for a server to choose.
    bob.who.request("GET", &theirs).header("Authorization", format!("Bearer {}", alice.who.token)).send().problem(400);
    tried("header");

    for member in MEMBERS {
        let query = format!("{member}={}", alice.who.id);
        bob.owns(&bob.who.get(&format!("/api/properties?{query}")));
        bob.who.get(&format!("{theirs}?{query}")).problem(404);
        bob.who.get(&format!("{}?{query}", payments_path(&alice.property))).problem(404);
        bob.who.request("PUT", &format!("{theirs}?{query}")).json(&json!({ "address": "stolen" })).send().problem(404);
        for _ in 0..4 {
            tried("query");
        }

        let mut body = json!({ "address": "Bob's own" });
        body[member] = alice.who.id.as_str().into();
        bob.who.put(&theirs, &body).problem(404);
        bob.owns(&bob.who.put(&own, &body));
        let created = bob.who.property(&body);
        alice.who.get(&property_path(&created)).problem(404);
        bob.owns(&bob.who.get(&property_path(&created)));
        let mut cash = bob.who.cash(1);
        cash[member] = alice.who.id.as_str().into();
        bob.who.post(&payments_path(&alice.property), &cash).problem(404);
        for _ in 0..4 {
            tried("body");
        }
    }
    let after = (alice.who.get("/api/properties").is(200).body, alice.who.get(&theirs).is(200).body);
    assert_eq!(after, before);
    let rows = world().query("SELECT count(*) FROM properties WHERE tenant_id = $1", &[&alice.who.id]);
    assert_eq!(rows[0].get::<_, i64>(0), 1);
    println!("requests in another landlord's name: {kinds:?} tried, 0 got through");
}
