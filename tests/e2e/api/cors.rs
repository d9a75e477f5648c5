//! CORS: which pages of other origins may call, and what their scripts may see.

use serde_json::json;

use crate::support::{Answer, NOWHERE, Place, Private, World, property_path, trials, world};

const CLIENT: &str = "http://localhost:5112";
const OTHER_CLIENT: &str = "http://localhost:5113";

trials![
    a_preflight_of_the_client_is_granted,
    a_preflight_needs_no_token,
    a_preflight_is_granted_on_every_path,
    a_preflight_of_another_origin_is_not_granted,
    origins_are_compared_whole,
    options_without_an_origin_tells_what_is_allowed,
    an_answer_to_the_client_may_be_read_by_it,
    errors_and_304_may_be_read_by_the_client,
    another_origin_is_served_without_cors_headers,
    without_an_origin_there_are_no_cors_headers,
    a_hit_does_not_keep_the_origin_of_the_miss,
    other_origins_can_be_allowed,
];

fn preflight(world: &World, path: &str, origin: &str, method: &str) -> Answer {
    let request =
        world.request("OPTIONS", path).header("Origin", origin).header("Access-Control-Request-Method", method);
    request.header("Access-Control-Request-Headers", "authorization,content-type,if-match").send()
}

#[track_caller]
fn granted(answer: &Answer, origin: &str) {
    assert!([200, 204].contains(&answer.status), "{answer}");
    assert_eq!(answer.needs("access-control-allow-origin"), origin, "{answer}");
    assert_eq!(answer.needs("access-control-allow-credentials"), "true", "{answer}");
    assert_eq!(answer.needs("access-control-max-age"), "600", "{answer}");
    let methods = answer.list("access-control-allow-methods");
    for method in ["get", "post", "put", "delete"] {
        assert!(methods.contains(&method.to_owned()), "{method} is not allowed: {answer}");
    }
    let headers = answer.list("access-control-allow-headers");
    for header in ["authorization", "content-type", "if-match", "if-none-match", "idempotency-key", "traceparent"] {
        assert!(headers.contains(&header.to_owned()), "{header} is not allowed: {answer}");
    }
    assert!(answer.list("vary").contains(&"origin".to_owned()), "{answer}");
}

#[track_caller]
fn readable(answer: &Answer, origin: &str) {
    assert_eq!(answer.needs("access-control-allow-origin"), origin, "{answer}");
    assert_eq!(answer.needs("access-control-allow-credentials"), "true", "{answer}");
    let exposed = answer.list("access-control-expose-headers");
    assert_eq!(exposed, ["cache-status", "content-disposition", "content-length", "etag", "location"], "{answer}");
    assert!(answer.list("vary").contains(&"origin".to_owned()), "{answer}");
}

#[track_caller]
fn not_granted(answer: &Answer) {
    let cors: Vec<_> = answer.headers.iter().filter(|(name, _)| name.starts_with("access-control-")).collect();
    assert!(cors.is_empty(), "{cors:?}: {answer}");
}

fn a_preflight_of_the_client_is_granted() {
    for origin in [CLIENT, OTHER_CLIENT] {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            granted(&preflight(world(), "/api/properties", origin, method), origin);
        }
    }
}

fn a_preflight_needs_no_token() {
    let request = world().request("OPTIONS", &property_path(NOWHERE)).header("Origin", CLIENT);
    let answer = request.header("Access-Control-Request-Method", "PUT").header("Authorization", "Bearer x").send();
    granted(&answer, CLIENT);
}

fn a_preflight_is_granted_on_every_path() {
    let place = Place::of(world().tenant());
    let [list, property, payments, payment] = place.routes();
    for path in [list, property, payments, payment, "/api/paymentmethods".into(), "/api/paymentmethods/".into()] {
        granted(&preflight(world(), &path, CLIENT, "GET"), CLIENT);
    }
}

fn a_preflight_of_another_origin_is_not_granted() {
    let answer = preflight(world(), "/api/properties", "https://evil.example", "GET");
    assert!(answer.status < 500, "{answer}");
    not_granted(&answer);
}

fn origins_are_compared_whole() {
    for origin in [
        "null",
        "*",
        "",
        "https://localhost:5112",
        "http://localhost",
        "http://localhost:51120",
        "http://localhost:5112.evil.example",
        "http://evil.example/http://localhost:5112",
        "http://localhost:5112/",
        "http://localhost:5112,http://localhost:5113",
        "http://alocalhost:5112",
        "localhost:5112",
    ] {
        not_granted(&preflight(world(), "/api/properties", origin, "GET"));
        not_granted(&world().tenant().request("GET", "/api/properties").header("Origin", origin).send().is(200));
    }
}

fn options_without_an_origin_tells_what_is_allowed() {
    for (path, allow) in [
        ("/api/properties".to_owned(), ["get", "head", "options", "post"].as_slice()),
        (property_path(NOWHERE), &["delete", "get", "head", "options", "put"]),
        ("/api/paymentmethods".into(), &["get", "head", "options"]),
    ] {
        let answer = world().request("OPTIONS", &path).send();
        assert!([200, 204].contains(&answer.status), "{answer}");
        assert_eq!(answer.list("allow"), allow, "{answer}");
        not_granted(&answer);
    }
}

fn an_answer_to_the_client_may_be_read_by_it() {
    let place = Place::of(world().tenant());
    for path in place.routes() {
        for _ in ["miss", "hit"] {
            readable(&place.who.request("GET", &path).header("Origin", CLIENT).send().is(200), CLIENT);
        }
    }
    readable(&place.who.request("HEAD", "/api/properties").header("Origin", OTHER_CLIENT).send().is(200), OTHER_CLIENT);
    readable(&place.who.request("GET", "/api/paymentmethods").header("Origin", CLIENT).send().is(200), CLIENT);
}

fn errors_and_304_may_be_read_by_the_client() {
    let place = Place::of(world().tenant());
    let who = &place.who;
    let path = place.property_path();
    let tag = who.get(&path).etag();
    let ask = |method: &str, path: &str| who.request(method, path).header("Origin", CLIENT);
    let body = json!({ "address": "x" });
    let answers = [
        ask("GET", &path).header("If-None-Match", tag).send().is(304),
        ask("GET", &property_path(NOWHERE)).send().is(404),
        ask("GET", "/api/properties?pageSize=x").send().is(400),
        ask("PATCH", &path).send().is(405),
        ask("POST", "/api/properties").json(&body).send().is(201),
        ask("POST", "/api/properties").json(&json!({})).send().is(400),
        ask("POST", "/api/properties").body("x").send().is(415),
        ask("PUT", &path).header("If-Match", r#""x""#).json(&body).send().is(412),
        ask("PUT", &path).json(&json!({ "address": "x", "rowVersion": 9 })).send().is(409),
        ask("PUT", &path).json(&body).send().is(200),
        ask("PUT", &place.payment_path()).json(&who.cash(1)).send().is(204),
        ask("DELETE", &place.payment_path()).send().is(204),
        world().request("GET", &path).header("Origin", CLIENT).send().is(401),
        world().tenant_named("a:b").request("GET", &path).header("Origin", CLIENT).send().is(403),
    ];
    for answer in &answers {
        readable(answer, CLIENT);
    }
}

fn another_origin_is_served_without_cors_headers() {
    let place = Place::of(world().tenant());
    for path in place.routes() {
        not_granted(&place.who.request("GET", &path).header("Origin", "https://evil.example").send().is(200));
    }
    let request = place.who.request("POST", "/api/properties").header("Origin", "https://evil.example");
    not_granted(&request.json(&json!({ "address": "x" })).send().is(201));
}

fn without_an_origin_there_are_no_cors_headers() {
    let place = Place::of(world().tenant());
    for path in place.routes() {
        not_granted(&place.who.get(&path).is(200));
    }
}

fn a_hit_does_not_keep_the_origin_of_the_miss() {
    let place = Place::of(world().tenant());
    for path in place.routes() {
        let ask = |origin: &str| place.who.request("GET", &path).header("Origin", origin).send().is(200);
        readable(&ask(CLIENT), CLIENT);
        readable(&ask(OTHER_CLIENT), OTHER_CLIENT);
        not_granted(&ask("https://evil.example"));
        not_granted(&place.who.get(&path).is(200));
    }
}

fn other_origins_can_be_allowed() {
    let own = Private::with(&[("cors_allowed_origins", "https://app.example, https://b.example:8443")]);
    for origin in ["https://app.example", "https://b.example:8443"] {
        granted(&preflight(&own, "/api/properties", origin, "PUT"), origin);
        readable(&own.tenant().request("GET", "/api/properties").header("Origin", origin).send().is(200), origin);
    }
    not_granted(&preflight(&own, "/api/properties", CLIENT, "PUT"));
}
