//! Who may come in: tokens right and wrong, the tenant's claim in all its spellings.

use serde_json::{Value, json};

use crate::support::{Tenant, payment_path, payments_path, property_path, token, trials, world};

const NAME_IDENTIFIER: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier";
const ROLE: &str = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role";
/// Claims that may hold the tenant, the one that wins first.
const ALIASES: [&str; 4] = ["tenant_id", NAME_IDENTIFIER, "nameid", "sub"];

trials![
    a_good_token_is_let_in,
    every_route_refuses_a_missing_token,
    every_route_refuses_an_expired_token,
    every_401_is_the_same_answer,
    a_damaged_token_is_refused,
    a_token_without_expiry_is_refused,
    a_token_of_another_issuer_is_refused,
    a_token_for_another_audience_is_refused,
    an_audience_in_a_list_is_let_in,
    a_token_signed_with_another_secret_is_refused,
    a_token_whose_payload_was_changed_is_refused,
    alg_none_is_refused_in_any_spelling,
    other_hmac_algorithms_are_refused,
    a_critical_extension_is_refused,
    another_type_of_token_header_is_let_in,
    a_malformed_token_is_refused,
    another_scheme_is_refused,
    the_scheme_is_read_in_any_case,
    a_token_in_the_query_is_not_read,
    the_clock_may_be_a_minute_off,
    the_clock_may_not_be_two_minutes_off,
    times_that_are_not_numbers_are_refused,
    each_claim_can_name_the_tenant,
    the_first_claim_present_names_the_tenant,
    an_ill_formed_first_claim_is_forbidden_even_before_a_good_one,
    a_token_without_any_tenant_is_forbidden,
    tenant_ids_have_1_to_64_characters_of_the_alphabet,
    a_forbidden_tenant_gets_a_problem,
    a_role_may_be_a_string_or_a_list,
    no_header_can_name_another_tenant,
];

fn with_token(token: &str) -> Tenant {
    world().bearer("someone", token.into())
}

fn with_claims(changes: &Value) -> Tenant {
    with_token(&token::sign(&token::with(token::claims("someone"), changes), &world().secret))
}

#[track_caller]
fn refused(who: &Tenant, why: &str) {
    let answer = who.get("/api/properties");
    assert_eq!(answer.status, 401, "{why}: {answer}");
    assert_eq!(answer.needs("www-authenticate"), r#"Bearer error="invalid_token""#, "{why}");
}

#[track_caller]
fn let_in(who: &Tenant, why: &str) {
    let answer = who.get("/api/properties");
    assert_eq!(answer.status, 200, "{why}: {answer}");
}

#[track_caller]
fn forbidden(who: &Tenant, why: &str) {
    let answer = who.get("/api/properties");
    assert_eq!(answer.status, 403, "{why}: {answer}");
}

/// Every method and path that needs a token.
fn routes() -> Vec<(&'static str, String)> {
    let id = "0190b5a8-0000-7000-8000-000000000001";
    let mut routes = vec![("GET", "/api/paymentmethods".to_owned())];
    for (methods, path) in [
        (["GET", "POST"].as_slice(), "/api/properties".to_owned()),
        (&["GET", "PUT", "DELETE"], property_path(id)),
        (&["GET", "POST"], payments_path(id)),
        (&["GET", "PUT", "DELETE"], payment_path(id, id)),
    ] {
        routes.extend(methods.iter().map(|method| (*method, path.clone())));
    }
    routes
}

fn a_good_token_is_let_in() {
    let_in(&world().tenant(), "as RentTracker signs it");
}

fn every_route_refuses_a_missing_token() {
    for (method, path) in routes() {
        let request = world().request(method, &path);
        let request = if method == "GET" { request } else { request.json(&json!({ "address": "1 Main St" })) };
        let answer = request.send().is(401);
        assert_eq!(answer.needs("www-authenticate"), r#"Bearer error="invalid_token""#, "{method} {path}");
    }
}

fn every_route_refuses_an_expired_token() {
    let late = with_claims(&json!({ "exp": token::now() - 3600 }));
    for (method, path) in routes() {
        late.request(method, &path).json(&json!({ "address": "1 Main St" })).send().is(401);
    }
}

fn every_401_is_the_same_answer() {
    let claims = token::claims("someone");
    let secret = &world().secret;
    let tokens = [
        "x".to_owned(),
        token::sign(&token::with(claims.clone(), &json!({ "exp": 1 })), secret),
        token::sign(&token::with(claims.clone(), &json!({ "iss": "x" })), secret),
        token::sign(&token::with(claims.clone(), &json!({ "aud": "x" })), secret),
        token::sign(&claims, "another secret"),
        token::sign_as(&json!({ "alg": "none" }), &claims, secret),
        token::sign_as(&json!({ "alg": "HS512" }), &claims, secret),
    ];
    let missing = world().get("/api/properties");
    for token in tokens {
        let answer = with_token(&token).get("/api/properties");
        assert_eq!(answer.text(), missing.text(), "{token}");
        assert_eq!(answer.header("www-authenticate"), missing.header("www-authenticate"), "{token}");
    }
}

/// With another last character but one, which is another text whatever its padding.
fn altered(text: &str) -> String {
    let (rest, last) = text.split_at(text.len() - 2);
    let other = if last.starts_with('A') { "B" } else { "A" };
    format!("{rest}{other}{}", &last[1..])
}

fn a_damaged_token_is_refused() {
    let good = token::sign(&token::claims("someone"), &world().secret);
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    // An instance remembers it from now on.
    with_token(&good).get("/api/properties").is(200);
    let broken = [
        format!("{header}.{}.{signature}", altered(payload)),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}.{payload}.{}", &signature[..signature.len() - 2]),
        format!("{header}.{payload}.!{}", &signature[1..]),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{payload}.{header}.{signature}"),
        "..".to_owned(),
        token::sign_as(&json!([]), &json!([]), &world().secret),
        token::sign(&json!("text"), &world().secret),
        token::sign_as(&json!({ "typ": "JWT" }), &token::claims("someone"), &world().secret),
        token::sign_as(&json!({ "alg": 5 }), &token::claims("someone"), &world().secret),
    ];
    for token in broken {
        refused(&with_token(&token), &token);
    }
}

fn a_token_without_expiry_is_refused() {
    refused(&with_claims(&json!({ "exp": null })), "no exp");
}

fn a_token_of_another_issuer_is_refused() {
    for issuer in [json!("Someone else"), json!("renttracker"), json!("RentTracker "), json!(""), json!(null), json!(1)]
    {
        refused(&with_claims(&json!({ "iss": issuer })), &format!("iss {issuer}"));
    }
}

fn a_token_for_another_audience_is_refused() {
    for audience in [json!("Someone else"), json!([]), json!(["x", "y"]), json!(""), json!(null), json!(1), json!({})] {
        refused(&with_claims(&json!({ "aud": audience })), &format!("aud {audience}"));
    }
}

fn an_audience_in_a_list_is_let_in() {
    let_in(&with_claims(&json!({ "aud": ["x", stack::AUDIENCE] })), "RFC 7519: aud may be a list");
}

fn a_token_signed_with_another_secret_is_refused() {
    for secret in ["", "another secret that is just as long as the right", &world().secret.to_uppercase()] {
        refused(&with_token(&token::sign(&token::claims("someone"), secret)), secret);
    }
}

fn a_token_whose_payload_was_changed_is_refused() {
    let good = token::sign(&token::claims("someone"), &world().secret);
    let parts: Vec<&str> = good.split('.').collect();
    let other = token::encode(token::claims("someone-else").to_string());
    refused(&with_token(&format!("{}.{other}.{}", parts[0], parts[2])), "another tenant under the old signature");
}

fn alg_none_is_refused_in_any_spelling() {
    let claims = token::claims("someone");
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = token::sign_as(&json!({ "alg": algorithm, "typ": "JWT" }), &claims, "");
        refused(&with_token(&unsigned), algorithm);
        let signature = token::sign(&claims, &world().secret);
        let signature = signature.rsplit('.').next().unwrap_or_default();
        refused(&with_token(&format!("{unsigned}{signature}")), algorithm);
    }
}

fn other_hmac_algorithms_are_refused() {
    for algorithm in ["HS384", "HS512"] {
        let token = token::sign_as(&json!({ "alg": algorithm }), &token::claims("someone"), &world().secret);
        refused(&with_token(&token), algorithm);
    }
    for algorithm in ["RS256", "ES256", "EdDSA", "hs256"] {
        // Signed as HS256 would be, under another name.
        let header = token::encode(json!({ "alg": algorithm }).to_string());
        let good = token::sign(&token::claims("someone"), &world().secret);
        let rest = good.split_once('.').map_or("", |(_, rest)| rest);
        refused(&with_token(&format!("{header}.{rest}")), algorithm);
    }
}

fn a_critical_extension_is_refused() {
    for crit in [json!(["exp"]), json!(["b64"]), json!([])] {
        let header = json!({ "alg": "HS256", "crit": crit, "b64": true });
        refused(&with_token(&token::sign_as(&header, &token::claims("someone"), &world().secret)), "crit");
    }
}

fn another_type_of_token_header_is_let_in() {
    for header in [json!({ "alg": "HS256" }), json!({ "alg": "HS256", "typ": "at+jwt", "kid": "1" })] {
        let_in(&with_token(&token::sign_as(&header, &token::claims("someone"), &world().secret)), "header");
    }
}

fn a_malformed_token_is_refused() {
    for text in ["", " ", "null", "undefined", "a.b.c", "....", "%%%", "\u{e9}"] {
        let answer = world().request("GET", "/api/properties").header("Authorization", format!("Bearer {text}")).send();
        assert_eq!(answer.status, 401, "{text:?}: {answer}");
    }
    let long = "a".repeat(6000);
    refused(&with_token(&format!("{long}.{long}.{long}")), "long");
}

fn another_scheme_is_refused() {
    let token = token::sign(&token::claims("someone"), &world().secret);
    for value in
        [format!("Basic {token}"), format!("Token {token}"), token.clone(), format!("Bearer{token}"), "Bearer".into()]
    {
        let answer = world().request("GET", "/api/properties").header("Authorization", value.clone()).send();
        assert_eq!(answer.status, 401, "{value}: {answer}");
    }
}

fn the_scheme_is_read_in_any_case() {
    let token = token::sign(&token::claims("someone"), &world().secret);
    for scheme in ["bearer", "BEARER"] {
        world().request("GET", "/api/properties").header("authorization", format!("{scheme} {token}")).send().is(200);
    }
}

fn a_token_in_the_query_is_not_read() {
    let token = token::sign(&token::claims("someone"), &world().secret);
    world().get(&format!("/api/properties?access_token={token}&token={token}")).is(401);
}

fn the_clock_may_be_a_minute_off() {
    let now = token::now();
    for (claim, time) in [("exp", now - 45), ("nbf", now + 45), ("iat", now + 45)] {
        let_in(&with_claims(&json!({ claim: time })), claim);
    }
}

fn the_clock_may_not_be_two_minutes_off() {
    let now = token::now();
    for (claim, time) in [("exp", now - 75), ("nbf", now + 90), ("iat", now + 90)] {
        refused(&with_claims(&json!({ claim: time })), claim);
    }
}

fn times_that_are_not_numbers_are_refused() {
    for value in [json!("soon"), json!("9999999999"), json!(true), json!([9_999_999_999_i64]), json!({})] {
        refused(&with_claims(&json!({ "exp": value })), &format!("exp {value}"));
        refused(&with_claims(&json!({ "nbf": value })), &format!("nbf {value}"));
    }
}

fn each_claim_can_name_the_tenant() {
    let owner = world().tenant();
    let id = owner.property_at("1 Alias St");
    for alias in ALIASES {
        let claims = token::with(token::claims("x"), &json!({ "sub": null }));
        let claims = token::with(claims, &json!({ alias: owner.id }));
        let who = with_token(&token::sign(&claims, &world().secret));
        assert_eq!(who.get(&property_path(&id)).is(200).json()["address"], "1 Alias St", "{alias}");
    }
}

fn the_first_claim_present_names_the_tenant() {
    for (position, first) in ALIASES.iter().enumerate() {
        let (owner, other) = (world().tenant(), world().tenant());
        let id = owner.property_at("1 First St");
        let mut claims = token::with(token::claims("x"), &json!({ "sub": null }));
        for later in &ALIASES[position + 1..] {
            claims = token::with(claims, &json!({ *later: other.id }));
        }
        let who = with_token(&token::sign(&token::with(claims, &json!({ *first: owner.id })), &world().secret));
        who.get(&property_path(&id)).is(200);
    }
}

fn an_ill_formed_first_claim_is_forbidden_even_before_a_good_one() {
    for alias in &ALIASES[..3] {
        for bad in
            [json!(""), json!(7), json!(true), json!(["someone"]), json!({}), json!(null), json!("a b"), json!("a:b")]
        {
            let mut claims = token::claims("someone");
            claims[*alias] = bad.clone();
            forbidden(&with_token(&token::sign(&claims, &world().secret)), &format!("{alias} {bad}"));
        }
    }
}

fn a_token_without_any_tenant_is_forbidden() {
    forbidden(&with_claims(&json!({ "sub": null })), "no tenant");
}

fn tenant_ids_have_1_to_64_characters_of_the_alphabet() {
    let longest = "x".repeat(64);
    for id in ["a", "Z_9-a", "0190b5a8-0000-7000-8000-000000000001", &longest] {
        let_in(&world().tenant_named(id), id);
    }
    let too_long = "x".repeat(65);
    let bad = [
        "",
        " ",
        "a b",
        "a:b",
        "a~b",
        "a*",
        "a?",
        "a/b",
        "../x",
        "a{b}",
        "a.b",
        "a\n",
        "a\u{0}b",
        "\u{e4}",
        "a@b.c",
        "%41",
        "' OR 1=1 --",
        &too_long,
    ];
    for id in bad {
        forbidden(&world().tenant_named(id), id);
    }
}

fn a_forbidden_tenant_gets_a_problem() {
    let who = world().tenant_named("a:b*c");
    for (method, path) in routes() {
        let answer = who.request(method, &path).json(&json!({ "address": "1 Main St" })).send();
        answer.problem(403);
        assert!(!answer.text().contains("a:b*c"), "the id is shown: {answer}");
    }
}

fn a_role_may_be_a_string_or_a_list() {
    for role in [json!("Admin"), json!("User"), json!(["User", "Admin"]), json!([])] {
        let_in(&with_claims(&json!({ "role": role })), "role");
        let_in(&with_claims(&json!({ ROLE: role })), "the long claim");
    }
}

fn no_header_can_name_another_tenant() {
    let (owner, thief) = (world().tenant(), world().tenant());
    let id = owner.property_at("1 Main St");
    for header in ["X-Tenant-Id", "Tenant-Id", "tenant_id", "X-User-Id", "X-Forwarded-User"] {
        thief.request("GET", &property_path(&id)).header(header, owner.id.as_str()).send().is(404);
    }
    thief.get(&format!("{}?tenant_id={}&tenantId={}", property_path(&id), owner.id, owner.id)).is(404);
}
