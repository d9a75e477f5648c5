//! Headers: which may stand once, and how many and how long they may be, as the client counts them.

use serde_json::json;

use crate::support::{Place, Request, trials, world};

trials![
    a_header_that_may_stand_once_is_refused_twice_on_every_route,
    a_list_may_stand_in_several_lines,
    the_limits_count_only_headers_that_the_client_sent,
    a_long_query_counts_once,
];

/// RFC 9110, section 5.3, and `errors` of the answer: it is the same twice, or another.
fn a_header_that_may_stand_once_is_refused_twice_on_every_route() {
    let place = Place::of(world().tenant());
    let body = json!({ "address": "2 Main St" });
    let who = &place.who;
    let (own, other) = (format!("Bearer {}", who.token), format!("Bearer {}", world().tenant().token));
    for second in [own.as_str(), other.as_str(), "Basic eDp5", ""] {
        for request in [
            who.request("GET", &place.property_path()),
            who.request("HEAD", &place.property_path()),
            who.request("GET", "/api/properties"),
            who.request("GET", &place.payments_path()),
            who.request("GET", "/api/paymentmethods"),
            who.request("GET", "/api/health"),
            who.request("GET", "/nowhere"),
            who.request("OPTIONS", "/api/properties"),
            who.request("POST", "/api/properties").json(&body),
            who.request("PUT", &place.property_path()).json(&body),
            who.request("DELETE", &place.property_path()),
            who.request("DELETE", &place.payment_path()),
        ] {
            let is_head = request.method == "HEAD";
            let answer = request.header("Authorization", second).send().is(400);
            if !is_head {
                answer.names("Authorization");
            }
        }
    }
    // The token alone, whichever comes first, does not let in who has a second one.
    world()
        .request("GET", "/api/properties")
        .header("Authorization", "")
        .header("authorization", own)
        .send()
        .names("Authorization");
    for (name, values) in [
        ("Content-Type", ["application/json", "text/plain"]),
        ("Content-Type", ["application/json", "application/json"]),
        ("Origin", ["http://localhost:5112", "https://evil.example"]),
    ] {
        let request = who.request("POST", "/api/properties").body(body.to_string());
        let json = if name == "Content-Type" { request } else { request.header("Content-Type", "application/json") };
        let answer = json.header(name, values[0]).header(name, values[1]).send();
        answer.names(name);
        assert_eq!(answer.header("access-control-allow-origin"), None, "{answer}");
    }
    let twice = who.request("POST", "/api/properties").header("Idempotency-Key", "a").header("Idempotency-Key", "a");
    twice.json(&body).send().names("Idempotency-Key");
    let page = who.get("/api/properties").is(200).json();
    assert_eq!((&page["totalCount"], &page["items"][0]["rowVersion"]), (&json!(1), &json!(1)), "something was written");
}

/// Section 5.3: lines of a list are one list.
fn a_list_may_stand_in_several_lines() {
    let place = Place::of(world().tenant());
    let path = place.property_path();
    let tag = place.who.get(&path).etag();
    let ask = |method: &str, name: &str| {
        place.who.request(method, &path).header(name, "\"98\"").header(name, tag.as_str()).header(name, "\"99\"")
    };
    ask("GET", "If-None-Match").send().is(304);
    ask("GET", "If-Match").send().is(200);
    ask("PUT", "If-None-Match").json(&json!({ "address": "x" })).send().is(412);
    ask("PUT", "If-Match").json(&json!({ "address": "x" })).send().is(200);
}

/// Requests that reach every component, each of these many lines; `Host` is one of them, and so is the token. `Connection`,
/// which the tests send, is not: it is the server's own.
fn everywhere(place: &Place, query: &str) -> Vec<(u16, Request)> {
    let ask = |method: &str, path: &str| place.who.request(method, &format!("{path}{query}"));
    let body = json!({ "address": "2 Main St" });
    vec![
        (200, ask("GET", "/api/properties")),
        (200, ask("GET", &place.property_path())),
        (200, ask("GET", &place.payments_path())),
        (200, ask("GET", &place.payment_path())),
        (200, ask("GET", "/api/paymentmethods")),
        (200, ask("GET", "/livez")),
        (204, ask("OPTIONS", "/api/properties")),
        (201, ask("POST", "/api/properties").json(&body)),
        (200, ask("PUT", &place.property_path()).json(&body)),
        (204, ask("PUT", &place.payment_path()).json(&place.who.cash(2))),
    ]
}

/// Whose lines, and bytes of names and values, the API counts: all but the token's bytes.
fn counted(request: &Request) -> (usize, usize) {
    let length = matches!(request.body, crate::support::Body::Sized(_))
        .then(|| format!("Content-Length: {}", body_length(request)));
    let own = [("Host".to_owned(), request.address.clone())].into_iter().chain(request.headers.iter().cloned());
    let bytes =
        own.filter(|(name, _)| name != "Authorization").map(|(name, value)| name.len() + value.len()).sum::<usize>();
    let length = length.map_or(0, |line| line.len() - ": ".len());
    (1 + request.headers.len() + usize::from(length > 0), bytes + length)
}

fn body_length(request: &Request) -> usize {
    match &request.body {
        crate::support::Body::Sized(bytes) => bytes.len(),
        _ => 0,
    }
}

fn the_limits_count_only_headers_that_the_client_sent() {
    const LINES: usize = 64;
    const BYTES: usize = 32 * 1024;
    let place = Place::of(world().tenant());
    for beyond in [0, 1] {
        for (status, request) in everywhere(&place, "") {
            let (lines, _) = counted(&request);
            let more = LINES - lines + beyond;
            let answer = (0..more).fold(request, |request, n| request.header(&format!("X-{n}"), "x")).send();
            assert_eq!(answer.status, if beyond == 0 { status } else { 431 }, "{LINES} + {beyond} lines: {answer}");
        }
        for (status, request) in everywhere(&place, "") {
            let (_, bytes) = counted(&request);
            let answer = request.header("X", "x".repeat(BYTES - bytes - 1 + beyond)).send();
            assert_eq!(answer.status, if beyond == 0 { status } else { 431 }, "{BYTES} + {beyond} bytes: {answer}");
        }
    }
    // What the host would have called its own, sent by the client, counts too.
    for (name, beyond, status) in [("spin-path-info", 0, 200), ("spin-path-info", 1, 431), ("spin-other", 1, 431)] {
        let request = place.who.request("GET", "/api/properties");
        let more = LINES - counted(&request).0 + beyond;
        let answer = (0..more).fold(request, |request, _| request.header(name, "x")).send();
        assert_eq!(answer.status, status, "{more} of {name}: {answer}");
    }
}

/// The host tells a component the whole URL once more in a header.
fn a_long_query_counts_once() {
    const QUERY: usize = 8 * 1024;
    const BYTES: usize = 32 * 1024;
    let place = Place::of(world().tenant());
    let query = format!("?x={}", "y".repeat(QUERY - 2));
    for beyond in [0, 1] {
        for (status, request) in everywhere(&place, &query) {
            let (_, bytes) = counted(&request);
            let answer = request.header("X", "x".repeat(BYTES - bytes - 1 + beyond)).send();
            assert_eq!(answer.status, if beyond == 0 { status } else { 431 }, "{BYTES} + {beyond} bytes: {answer}");
        }
    }
}
