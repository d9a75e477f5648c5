//! Request bodies: sizes, media types, and what is no JSON.

use serde_json::json;

use crate::support::{Answer, Place, Tenant, payments_path, property_path, trials, world};

const MEBIBYTE: usize = 1024 * 1024;

trials![
    a_body_above_a_mebibyte_is_refused,
    a_chunked_body_above_a_mebibyte_is_refused,
    a_body_of_a_mebibyte_is_taken,
    a_body_of_another_media_type_is_refused,
    json_has_many_media_types,
    an_encoded_body_is_refused,
    a_body_that_is_no_json_is_refused,
    a_body_that_is_no_object_is_refused,
    comments_and_trailing_commas_are_no_json,
    a_deeply_nested_body_does_no_harm,
    a_chunked_request_is_taken,
];

fn place() -> Place {
    Place::of(world().tenant())
}

fn post(who: &Tenant, body: impl Into<Vec<u8>>) -> Answer {
    who.request("POST", "/api/properties").raw_json(body).send()
}

/// JSON of exactly this many bytes that creates a property.
fn json_of(length: usize) -> Vec<u8> {
    let (start, end) = (r#"{"address":"1 Main St","padding":""#, r#""}"#);
    format!("{start}{}{end}", "x".repeat(length - start.len() - end.len())).into_bytes()
}

fn a_body_above_a_mebibyte_is_refused() {
    let place = place();
    for length in [MEBIBYTE + 1, 3 * MEBIBYTE] {
        post(&place.who, json_of(length)).problem(413);
        place.who.request("PUT", &property_path(&place.property)).raw_json(json_of(length)).send().problem(413);
    }
    assert_eq!(place.who.get("/api/properties").json()["totalCount"], 1);
}

fn a_chunked_body_above_a_mebibyte_is_refused() {
    let who = world().tenant();
    let body = json_of(MEBIBYTE + 1);
    let chunks: Vec<&[u8]> = body.chunks(65_536).collect();
    let request = who.request("POST", "/api/properties").header("Content-Type", "application/json");
    request.chunks(&chunks).send().problem(413);
}

fn a_body_of_a_mebibyte_is_taken() {
    post(&world().tenant(), json_of(MEBIBYTE)).is(201);
}

fn a_body_of_another_media_type_is_refused() {
    let place = place();
    let body = r#"{"address":"1 Main St"}"#;
    for media_type in [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "application/xml+jsonx",
        "*/*",
        "json",
        "",
    ] {
        for (method, path) in [
            ("POST", "/api/properties".to_owned()),
            ("PUT", property_path(&place.property)),
            ("POST", payments_path(&place.property)),
            ("PUT", place.payment_path()),
        ] {
            let request = place.who.request(method, &path).header("Content-Type", media_type).body(body);
            request.send().problem(415);
        }
    }
    place.who.request("POST", "/api/properties").body(body).send().problem(415);
}

fn json_has_many_media_types() {
    let who = world().tenant();
    for media_type in [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "Application/JSON",
        "application/vnd.api+json",
        "application/merge-patch+json; x=y",
    ] {
        let request = who.request("POST", "/api/properties").header("Content-Type", media_type);
        request.body(r#"{"address":"1 Main St"}"#).send().is(201);
    }
}

fn an_encoded_body_is_refused() {
    let place = place();
    for encoding in ["gzip", "br", "deflate", "x"] {
        let request = place.who.request("POST", "/api/properties").header("Content-Encoding", encoding);
        request.json(&json!({ "address": "1 Main St" })).send().problem(415);
        let request = place.who.request("PUT", &property_path(&place.property)).header("Content-Encoding", encoding);
        request.json(&json!({ "address": "1 Main St" })).send().problem(415);
    }
}

fn a_body_that_is_no_json_is_refused() {
    let place = place();
    let bodies: [&[u8]; 12] = [
        b"",
        b" ",
        b"{",
        b"}",
        b"{\"address\":}",
        b"{'address':'1'}",
        b"address=1",
        b"{\"address\":\"\xff\xfe\"}",
        b"{\"address\":\"\\ud800\"}",
        b"{\"address\":\"1\"} x",
        b"{\"address\":\"a\nb\"}",
        b"\xef\xbb\xbf{",
    ];
    for body in bodies {
        post(&place.who, body).problem(400);
        place.who.request("PUT", &property_path(&place.property)).raw_json(body).send().problem(400);
        place.who.request("POST", &payments_path(&place.property)).raw_json(body).send().problem(400);
        place.who.request("PUT", &place.payment_path()).raw_json(body).send().problem(400);
    }
    for body in [
        "{\"weeklyRentAmount\":01}",
        "{\"weeklyRentAmount\":NaN}",
        "{\"weeklyRentAmount\":.5}",
        "{\"weeklyRentAmount\":+5}",
    ] {
        post(&place.who, body).problem(400);
    }
    place.who.request("POST", "/api/properties").header("Content-Type", "application/json").send().problem(400);
}

fn a_body_that_is_no_object_is_refused() {
    let who = world().tenant();
    for body in ["null", "[]", r#"[{"address":"1 Main St"}]"#, r#""address""#, "5", "true"] {
        post(&who, body).problem(400);
    }
}

fn comments_and_trailing_commas_are_no_json() {
    let who = world().tenant();
    for body in [
        r#"{"address":"1 Main St",}"#,
        r#"{"address":"1 Main St"/* x */}"#,
        "{\"address\":\"1 Main St\" // x\n}",
        r#"{"address":"1 Main St","rentalPayments":[1,]}"#,
    ] {
        post(&who, body).problem(400);
    }
}

fn a_deeply_nested_body_does_no_harm() {
    let who = world().tenant();
    for member in ["unknown", "address", "weeklyRentAmount"] {
        let deep = format!(r#"{{"address":"1 Main St","{member}":{}{}}}"#, "[".repeat(400_000), "]".repeat(400_000));
        let answer = post(&who, deep);
        assert!([201, 400].contains(&answer.status), "{member}: {answer}");
    }
    // Whoever answered, it still serves.
    who.get("/api/properties").is(200);
}

fn a_chunked_request_is_taken() {
    let place = place();
    let who = &place.who;
    let request = who.request("POST", "/api/properties").header("Content-Type", "application/json");
    let created = request.chunks(&[b"{\"addr", b"ess\":\"2 Ch", b"unk St\"}"]).send().is(201);
    assert_eq!(created.json()["address"], "2 Chunk St");
    let request = who.request("PUT", &created.needs("location")).header("Content-Type", "application/json");
    request.chunks(&[br#"{"address":"3 Chunk St"}"#]).send().is(200);
    assert_eq!(who.get(&created.needs("location")).json()["address"], "3 Chunk St");
}
