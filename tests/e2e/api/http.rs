//! HTTP itself: paths, methods, media types, sizes, framing.

use serde_json::json;

use crate::support::{NOWHERE, Place, exchange, payment_path, payments_path, property_path, trials, world};

const MEBIBYTE: usize = 1024 * 1024;

trials![
    an_id_that_is_no_uuid_is_not_found,
    an_upper_case_uuid_is_the_same_resource,
    unknown_paths_answer_a_problem,
    unknown_paths_under_api_are_not_served_without_a_token,
    other_routes_of_renttracker_are_not_served,
    a_method_that_a_path_lacks_is_405_with_allow,
    one_trailing_slash_is_the_same_path,
    head_answers_as_get_without_a_body,
    head_of_what_is_not_there_is_404,
    answers_carry_their_length,
    a_connection_serves_several_requests,
    every_answer_says_how_it_may_be_kept,
    every_kind_of_answer_has_the_security_headers,
    a_header_section_too_large_is_a_clients_error,
    a_query_too_large_is_a_clients_error,
    odd_queries_do_no_harm,
    server_errors_do_not_come_from_odd_paths,
];

fn place() -> Place {
    Place::of(world().tenant())
}

/// Every path, with the methods that it has.
fn paths(place: &Place) -> Vec<(String, Vec<&'static str>)> {
    vec![
        ("/api/properties".into(), vec!["GET", "POST"]),
        (place.property_path(), vec!["GET", "PUT", "DELETE"]),
        (place.payments_path(), vec!["GET", "POST"]),
        (place.payment_path(), vec!["GET", "PUT", "DELETE"]),
        ("/api/paymentmethods".into(), vec!["GET"]),
        ("/api/health".into(), vec!["GET"]),
    ]
}

fn an_id_that_is_no_uuid_is_not_found() {
    let place = place();
    let (who, id) = (&place.who, &place.property);
    let plain = id.replace('-', "");
    let odd = [
        "1",
        "x",
        "undefined",
        "null",
        &plain,
        &format!("{{{id}}}"),
        &format!("urn:uuid:{id}"),
        &id[..35],
        &format!("{id}0"),
        &format!("{id}%00"),
        "*",
        "%2e%2e",
        "..%2f",
        &format!("%20{id}"),
        &id.replace('-', "_"),
    ];
    for bad in odd {
        // Braces are no part of a URL; clients escape them.
        let bad = bad.replace('{', "%7B").replace('}', "%7D");
        for path in [property_path(&bad), payments_path(&bad), payment_path(&bad, id), payment_path(id, &bad)] {
            who.get(&path).problem(404);
        }
        who.put(&property_path(&bad), &json!({ "address": "1 Main St" })).problem(404);
        who.delete(&property_path(&bad)).problem(404);
        who.post(&payments_path(&bad), &json!({})).problem(404);
        who.put(&payment_path(id, &bad), &json!({})).problem(404);
        who.delete(&payment_path(id, &bad)).problem(404);
    }
    who.get(&property_path(id)).is(200);
}

fn an_upper_case_uuid_is_the_same_resource() {
    let place = place();
    let who = &place.who;
    let (path, upper) = (property_path(&place.property), property_path(&place.property.to_uppercase()));
    assert_eq!(who.get(&path).is(200).json(), who.get(&upper).is(200).json());
    // One resource has one entry in the cache: a write under one spelling is seen under the other.
    who.put(&upper, &json!({ "address": "2 Changed St" })).is(200);
    assert_eq!(who.get(&path).is(200).json()["address"], "2 Changed St");
    assert_eq!(who.get(&upper).is(200).json()["id"], place.property);
    assert_eq!(who.get(&payments_path(&place.property.to_uppercase())).is(200).json()["totalCount"], 1);
}

fn unknown_paths_answer_a_problem() {
    let who = world().tenant();
    for path in
        ["/", "/nope", "/index.html", "/api", "/api/nope", "/apix", "/API/properties", "/api/properties/a/b/c/d"]
    {
        who.get(path).problem(404);
        if !path.starts_with("/api") {
            world().get(path).problem(404);
        }
    }
}

fn unknown_paths_under_api_are_not_served_without_a_token() {
    for path in ["/api", "/api/nope", "/api/properties/a/b/c/d"] {
        let answer = world().get(path);
        assert!([401, 404].contains(&answer.status), "{answer}");
    }
}

fn other_routes_of_renttracker_are_not_served() {
    let place = place();
    let id = &place.property;
    for path in [
        "/api/auth/login".to_owned(),
        "/api/auth/register".into(),
        format!("{}/attachments", property_path(id)),
        format!("{}/attachments", place.payment_path()),
        "/api/attachments".into(),
        format!("/api/paymentmethods/{id}"),
    ] {
        place.who.get(&path).problem(404);
        place.who.post(&path, &json!({})).problem(404);
    }
    place.who.post("/api/paymentmethods", &json!({ "name": "Gold" })).problem(405);
}

fn a_method_that_a_path_lacks_is_405_with_allow() {
    let place = place();
    for (path, has) in paths(&place) {
        let mut allow: Vec<String> = has.iter().map(|method| method.to_ascii_lowercase()).collect();
        allow.extend(["head".into(), "options".into()]);
        allow.sort();
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "PROPFIND", "FROBNICATE"] {
            if has.contains(&method) {
                continue;
            }
            let request = place.who.request(method, &path);
            let answer = if method == "GET" || method == "DELETE" { request } else { request.json(&json!({})) }.send();
            answer.problem(405);
            assert_eq!(answer.list("allow"), allow, "{method} {path}");
        }
    }
}

fn one_trailing_slash_is_the_same_path() {
    let place = place();
    let who = &place.who;
    for (path, _) in paths(&place) {
        assert_eq!(who.get(&format!("{path}/")).is(200).json(), who.get(&path).is(200).json(), "{path}");
    }
    let created = who.post("/api/properties/", &json!({ "address": "2 Slash St" })).is(201);
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(created.needs("location"), property_path(&id));
    let payments = format!("{}/", payments_path(&id));
    let payment = who.post(&payments, &who.cash(5)).is(201);
    let location = payment.needs("location");
    assert!(!location.ends_with('/') && !location.contains("//"), "{location}");
    who.put(&format!("{location}/"), &who.cash(6)).is(204);
    who.put(&format!("{}/", property_path(&id)), &json!({ "address": "3 Slash St" })).is(200);
    who.delete(&format!("{location}/")).is(204);
    who.delete(&format!("{}/", property_path(&id))).is(204);
    assert_eq!(who.get("/api/properties/?pageSize=1").is(200).json()["totalCount"], 1);
}

fn head_answers_as_get_without_a_body() {
    let place = place();
    for (path, _) in paths(&place) {
        let get = place.who.get(&path).is(200);
        let head = place.who.request("HEAD", &path).send().is(200);
        for name in ["content-type", "content-length", "etag", "vary", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{name} of HEAD {path}");
        }
    }
}

fn head_of_what_is_not_there_is_404() {
    let who = world().tenant();
    let path = property_path(NOWHERE);
    let head = who.request("HEAD", &path).send().is(404);
    assert_eq!(head.header("content-length"), who.get(&path).header("content-length"));
    world().request("HEAD", "/api/properties").send().is(401);
}

fn answers_carry_their_length() {
    // Every other test checks each of its answers too; here is one of each kind in one place.
    let place = place();
    let who = &place.who;
    for (answer, has) in [
        (who.get("/api/properties"), true),
        (who.get(&place.payment_path()), true),
        (who.put(&place.payment_path(), &who.cash(1)), false),
        (who.put(&property_path(&place.property), &json!({ "address": "x" })), true),
        (who.post("/api/properties", &json!({})), true),
        (who.get("/nope"), true),
        (world().get("/api/health"), true),
        (who.delete(&place.payment_path()), false),
    ] {
        assert_eq!(answer.header("content-length").is_some(), has, "{answer}");
        assert_eq!(answer.header("transfer-encoding"), None, "{answer}");
    }
}

fn a_connection_serves_several_requests() {
    let who = world().tenant();
    let address = world().base_url.trim_start_matches("http://").to_owned();
    let one = |target: &str, connection: &str| {
        format!(
            "GET {target} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nConnection: {connection}\r\n\r\n",
            who.token
        )
    };
    let id = who.property_at("1 Main St");
    let requests =
        [one("/api/properties", "keep-alive"), one(&property_path(&id), "keep-alive"), one("/nope", "close")];
    let answer = exchange(&address, requests.concat().as_bytes()).expect("answers");
    let text = String::from_utf8_lossy(&answer);
    assert_eq!(text.matches("HTTP/1.1 200").count(), 2, "{text}");
    assert_eq!(text.matches("HTTP/1.1 404").count(), 1, "{text}");
}

fn every_answer_says_how_it_may_be_kept() {
    let place = place();
    let who = &place.who;
    let path = property_path(&place.property);
    let tag = who.get(&path).etag();
    let answers = [
        who.get("/api/properties"),
        who.get(&path),
        who.get(&payments_path(&place.property)),
        who.get(&place.payment_path()),
        who.get("/api/paymentmethods"),
        who.request("GET", &path).header("If-None-Match", tag).send().is(304),
        who.get(&property_path(NOWHERE)).is(404),
        who.post("/api/properties", &json!({ "address": "x" })).is(201),
        who.post("/api/properties", &json!({})).is(400),
        who.put(&path, &json!({ "address": "x" })).is(200),
        who.put(&place.payment_path(), &who.cash(1)).is(204),
        world().get("/api/properties").is(401),
    ];
    for answer in answers {
        let caching: &[&str] = if answer.status < 400 { &["no-cache", "private"] } else { &["no-store"] };
        assert_eq!(answer.list("cache-control"), caching, "{answer}");
        assert_eq!(answer.list("vary"), ["authorization", "origin"], "{answer}");
    }
}

/// What each of them owes is held by [`crate::support::Answer::hold_to_the_contract`]: here are all kinds.
fn every_kind_of_answer_has_the_security_headers() {
    let place = place();
    let (who, path) = (&place.who, place.property_path());
    let tag = who.get(&path).etag();
    let body = json!({ "address": "1 Main St" });
    let json = |method: &str, path: &str| who.request(method, path).json(&body);
    let kinds = [
        (200, who.request("HEAD", &path)),
        (200, world().request("GET", "/livez")),
        (200, world().request("GET", "/readyz")),
        (200, world().request("GET", "/metrics")),
        (200, world().request("GET", "/api/health")),
        (204, who.request("OPTIONS", &path).header("Origin", "http://localhost:5112")),
        (304, who.request("GET", &path).header("If-None-Match", tag)),
        (400, who.request("POST", "/api/properties").raw_json("{")),
        (400, who.request("GET", "/api/properties?pageSize=x")),
        (401, world().request("GET", &path)),
        (401, world().request("POST", "/api/properties").json(&body)),
        (401, world().request("GET", "/api/cache/breaker")),
        (403, world().tenant_named("a:b").request("GET", &path)),
        (403, who.request("GET", "/api/cache/breaker")),
        (404, who.request("GET", &property_path(NOWHERE))),
        (404, who.request("DELETE", &property_path(NOWHERE))),
        (404, who.request("GET", "/api/nothing")),
        (404, world().request("GET", "/nothing")),
        (404, world().request("BREW", "/nothing")),
        (405, who.request("PATCH", &path)),
        (405, world().request("POST", "/api/health")),
        (409, who.request("PUT", &path).json(&json!({ "address": "1 Main St", "rowVersion": 99 }))),
        (412, json("PUT", &path).header("If-Match", "\"99\"")),
        (413, who.request("POST", "/api/properties").raw_json(vec![b' '; MEBIBYTE + 1])),
        (415, who.request("POST", "/api/properties").body("x")),
        (201, json("POST", "/api/properties")),
        (200, json("PUT", &path)),
        (204, who.request("DELETE", &path)),
    ];
    for (status, request) in kinds {
        let answer = request.send().is(status);
        for name in ["x-content-type-options", "cache-control"] {
            assert!(answer.header(name).is_some(), "{answer}");
        }
        assert_eq!(answer.header("server"), None, "{answer}");
    }
}

fn a_header_section_too_large_is_a_clients_error() {
    let request = world().tenant().request("GET", "/api/properties").header("X-Long", "x".repeat(2 * MEBIBYTE));
    let answer = request.send_unchecked();
    assert!((400..500).contains(&answer.status), "{answer}");
}

fn a_query_too_large_is_a_clients_error() {
    let request = world().tenant().request("GET", &format!("/api/properties?searchTerm={}", "x".repeat(100_000)));
    let answer = request.send_unchecked();
    assert!((400..500).contains(&answer.status), "{answer}");
}

fn odd_queries_do_no_harm() {
    let who = world().tenant();
    for query in [
        "",
        "&",
        "&&&",
        "=",
        "=x",
        "x",
        "a=b&a=c",
        "pageNumber=1&pageNumber=2",
        "unknown=1",
        "%",
        "%zz=%zz",
        "?x=?",
        "pageSize",
    ] {
        let answer = who.get(&format!("/api/properties?{query}"));
        assert!([200, 400].contains(&answer.status), "{answer}");
    }
    who.get("/api/properties?unknown=1&another").is(200);
}

fn server_errors_do_not_come_from_odd_paths() {
    let who = world().tenant();
    for path in [
        "/api/properties/%",
        "/api/properties/%ff",
        "/api/properties/%00",
        "/api/properties//",
        "//api/properties",
        "/api/./properties",
        "/api/../api/properties",
        "/api/properties;x=1",
        "/api/properties%2f",
        "/api/prop%65rties",
        "/api/properties/%e2%82%ac",
        "/api/health/x",
        "/.well-known/spin/info",
        "/api/properties/a/payments/b/c",
    ] {
        let answer = who.request("GET", path).send_unchecked();
        assert!(answer.status < 500, "{answer}");
    }
}
