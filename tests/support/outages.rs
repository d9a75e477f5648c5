//! For tests in which Redis fails: a breaker that recovers soon, and a round of requests that must not notice.

use serde_json::json;

use super::{Tenant, payment_path, payments_path, property_path};

/// As in production, but with a breaker that tries again soon.
pub const BRISK: [(&str, &str); 4] = [
    ("redis_timeout_ms", "50"),
    ("redis_connect_timeout_ms", "100"),
    ("breaker_reset_seconds", "1"),
    ("breaker_max_reset_seconds", "1"),
];

/// Every read and write once, each answer checked: the API as it should be, cache or not.
pub fn a_full_round(who: &Tenant) {
    let property = who.property(&json!({ "address": "1 Round St", "weeklyRentAmount": 1.5 }));
    let path = property_path(&property);
    for _ in 0..2 {
        assert_eq!(who.get(&path).is(200).json()["address"], "1 Round St");
        assert!(who.ids("/api/properties?pageSize=50").contains(&property));
    }
    who.put(&path, &json!({ "address": "2 Round St" })).is(200);
    assert_eq!(who.get(&path).is(200).json()["address"], "2 Round St");
    assert!(who.column("/api/properties?pageSize=50", "address").contains(&"2 Round St".to_owned()));
    who.request("PUT", &path).header("If-Match", r#""x""#).json(&json!({ "address": "3" })).send().is(412);

    let payment = who.payment_of(&property, 100);
    let single = payment_path(&property, &payment);
    assert_eq!(who.get(&single).is(200).json()["amount"], 100);
    assert_eq!(who.ids(&payments_path(&property)), [payment]);
    who.put(&single, &who.cash(200)).is(204);
    assert_eq!(who.get(&single).is(200).json()["amount"], 200);
    assert_eq!(who.get(&payments_path(&property)).is(200).json()["items"][0]["amount"], 200);
    who.delete(&single).is(204);
    who.get(&single).problem(404);
    assert_eq!(who.get(&payments_path(&property)).is(200).json()["totalCount"], 0);

    who.delete(&path).is(204);
    who.get(&path).problem(404);
    assert!(!who.ids("/api/properties?pageSize=50").contains(&property));
    who.get("/api/properties?pageSize=x").problem(400);
}
