//! Variables: a bad value is refused for all requests, with a sentence in the log that names it and no word to clients.

use serde_json::json;

use crate::support::{Private, eventually, trials};

trials![
    a_bad_number_is_refused,
    a_number_out_of_bounds_is_refused,
    a_bad_boolean_is_refused,
    a_bad_instance_name_is_refused,
    an_empty_secret_without_a_jwks_is_refused,
    bad_keys_are_refused,
    a_jwks_address_without_tls_is_refused,
    issuer_and_audience_can_be_set,
];

/// With `value` nothing that has the variable is served, and the log says which one is to blame.
fn refused(variable: &str, value: &str) {
    let own = Private::with(&[(variable, value)]);
    let who = own.tenant();
    let mut answers = Vec::new();
    // What only writes need is not given to what only reads, nor the other way round.
    if variable != "redis_default_timeout_minutes" {
        answers.push(who.post("/api/properties", &json!({ "address": "1 Main St" })));
    }
    if variable != "require_if_match" {
        answers.push(who.get("/api/properties"));
    }
    for answer in answers {
        assert!(answer.status >= 500, "{variable} = {value:?}: {answer}");
        assert!(!answer.text().contains(variable), "the client is told of it: {answer}");
        assert!(answer.needs("server-timing").contains("total;dur="), "{answer}");
    }
    eventually("a line in the log that names the variable", || {
        let log = std::fs::read_to_string(own.log()).ok()?;
        log.lines().any(|line| line.contains("\"config.refused\"") && line.contains(variable)).then_some(())
    });
}

fn a_bad_number_is_refused() {
    refused("breaker_reset_seconds", "ten");
}

fn a_number_out_of_bounds_is_refused() {
    // An hour, where no key may live longer than 15 minutes.
    refused("redis_default_timeout_minutes", "60");
}

fn a_bad_boolean_is_refused() {
    refused("require_if_match", "perhaps");
}

fn a_bad_instance_name_is_refused() {
    refused("redis_instance_name", "Rent~Tracker*");
}

fn an_empty_secret_without_a_jwks_is_refused() {
    refused("jwt_secret", "");
}

fn bad_keys_are_refused() {
    refused("jwt_jwks", r#"{"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"}]}"#);
}

fn a_jwks_address_without_tls_is_refused() {
    refused("jwt_jwks_url", "http://id.example/keys");
}

fn issuer_and_audience_can_be_set() {
    use crate::support::token;
    let own = Private::with(&[("jwt_issuer", "https://id.example"), ("jwt_audience", "edge")]);
    own.tenant().get("/api/properties").is(401);
    let claims = token::with(token::claims("someone"), &json!({ "iss": "https://id.example", "aud": "edge" }));
    own.bearer("someone", token::sign(&claims, &own.secret)).get("/api/properties").is(200);
}
