//! Input that is too much, or no text: refused with a client's error that names it, and nothing of it is done.

use serde_json::{Value, json};

use crate::support::{Answer, NOWHERE, Place, Request, trials, world};

/// The text members of a property, and of a payment.
const PROPERTY_TEXTS: [&str; 7] =
    ["address", "suburb", "state", "postCode", "description", "propertyManager", "propertyManagerContact"];
const PAYMENT_TEXTS: [&str; 3] = ["paymentReference", "notes", "paymentMethod"];
/// The parameters of a list.
const PARAMETERS: [&str; 5] = ["pageNumber", "pageSize", "searchTerm", "sortField", "sortDescending"];

trials![
    a_path_or_query_beyond_its_limit_is_414_on_every_path,
    headers_beyond_their_limits_are_431_on_every_path,
    a_token_beyond_its_limit_is_an_invalid_token,
    a_nul_character_is_named_wherever_it_comes,
    a_raw_nul_is_refused_by_the_server,
    a_query_that_is_not_utf_8_is_named_in_a_400,
    a_body_that_is_not_utf_8_is_refused,
    half_a_surrogate_pair_is_refused,
    a_member_given_twice_is_named,
    the_first_of_a_repeated_parameter_counts,
    nesting_and_the_number_of_values_are_bounded,
    a_number_in_another_notation_is_refused,
];

fn place() -> Place {
    Place::of(world().tenant())
}

/// Requests that reach every component: reads, writes that are handed on, and those that need no token.
fn everywhere(place: &Place, change: impl Fn(&str) -> String) -> Vec<Request> {
    let ask = |method: &str, path: &str| place.who.request(method, &change(path));
    vec![
        ask("GET", "/api/properties"),
        ask("GET", &place.payment_path()),
        ask("GET", "/api/paymentmethods"),
        ask("GET", "/api/health"),
        ask("GET", "/nowhere"),
        ask("OPTIONS", "/api/properties"),
        ask("POST", "/api/properties").json(&json!({ "address": "2 Main St" })),
        ask("PUT", &place.property_path()).json(&json!({ "address": "2 Main St" })),
        ask("DELETE", &place.property_path()),
    ]
}

/// Nothing was written.
fn is_untouched(place: &Place) {
    let page = place.who.get("/api/properties").is(200).json();
    assert_eq!((&page["totalCount"], &page["items"][0]["rowVersion"]), (&json!(1), &json!(1)), "{page}");
}

fn a_path_or_query_beyond_its_limit_is_414_on_every_path() {
    let place = place();
    for request in everywhere(&place, |path| format!("{path}?x={}", "y".repeat(8 * 1024 - 1))) {
        request.send().problem(414);
    }
    for request in everywhere(&place, |path| format!("{path}/{}", "y".repeat(2 * 1024))) {
        request.send().problem(414);
    }
    is_untouched(&place);
    place.who.get(&format!("/api/properties?x={}", "y".repeat(8 * 1024 - 2))).is(200);
    place.who.get(&format!("/api/properties/{}", "y".repeat(2 * 1024 - 16))).problem(404);
}

fn headers_beyond_their_limits_are_431_on_every_path() {
    let place = place();
    for request in everywhere(&place, str::to_owned) {
        request.header("X-Long", "x".repeat(32 * 1024)).send().problem(431);
    }
    for request in everywhere(&place, str::to_owned) {
        (0..64).fold(request, |request, number| request.header(&format!("X-{number}"), "x")).send().problem(431);
    }
    // Somewhere beyond, the server or the way to `writes` has a limit too: still the client's error.
    for length in [100_000, 200_000, 350_000] {
        for request in everywhere(&place, str::to_owned) {
            let answer = request.header("X-Long", "x".repeat(length)).send_unchecked();
            assert_eq!(answer.status, 431, "{length}: {answer}");
        }
    }
    is_untouched(&place);
    place.who.request("GET", "/api/properties").header("X-Long", "x".repeat(30 * 1024)).send().is(200);
}

fn a_token_beyond_its_limit_is_an_invalid_token() {
    for length in [10_000, 100_000, 200_000] {
        let who = world().bearer("t", "x".repeat(length));
        who.get("/api/properties").problem(401);
        who.post("/api/properties", &json!({ "address": "1 Main St" })).problem(401);
        who.delete(&format!("/api/properties/{NOWHERE}")).problem(401);
    }
}

fn with_property(place: &Place, member: &str, spelling: &str) -> [Answer; 2] {
    let body = match member {
        "address" => format!(r#"{{"address":{spelling}}}"#),
        _ => format!(r#"{{"address":"1 Main St","{member}":{spelling}}}"#),
    };
    let ask = |method: &str, path: &str| place.who.request(method, path).raw_json(body.as_str()).send();
    [ask("POST", "/api/properties"), ask("PUT", &place.property_path())]
}

fn with_payment(place: &Place, member: &str, spelling: &str) -> [Answer; 2] {
    let mut body = place.who.cash(1);
    body.as_object_mut().expect("an object").remove(member);
    if member == "paymentMethod" {
        body.as_object_mut().expect("an object").remove("paymentMethodId");
    }
    let body = format!("{},\"{member}\":{spelling}}}", body.to_string().trim_end_matches('}'));
    let ask = |method: &str, path: &str| place.who.request(method, path).raw_json(body.as_str()).send();
    [ask("POST", &place.payments_path()), ask("PUT", &place.payment_path())]
}

fn a_nul_character_is_named_wherever_it_comes() {
    let place = place();
    for spelling in [r#""\u0000""#, r#""a\u0000b""#] {
        for member in PROPERTY_TEXTS {
            with_property(&place, member, spelling).iter().for_each(|answer| answer.names(member));
        }
        for member in PAYMENT_TEXTS.into_iter().chain(["paymentMethodId", "paymentDate"]) {
            with_payment(&place, member, spelling).iter().for_each(|answer| answer.names(member));
        }
    }
    for list in ["/api/properties", &place.payments_path()] {
        for parameter in PARAMETERS {
            for value in ["%00", "a%00", "%00a"] {
                place.who.get(&format!("{list}?{parameter}={value}")).names(parameter);
            }
        }
    }
    place.who.get(&format!("{}%00", place.property_path())).problem(404);
    place.who.delete(&format!("{}%00", place.payment_path())).problem(404);
    is_untouched(&place);
}

fn a_raw_nul_is_refused_by_the_server() {
    let place = place();
    for target in ["/api/properties\0", "/api/properties?searchTerm=a\0b"] {
        let answer = place.who.request("GET", target).send_unchecked();
        assert_eq!(answer.status, 400, "{answer}");
    }
    let answer = place.who.request("GET", "/api/properties").header("If-None-Match", "\"1\0\"").send_unchecked();
    assert_eq!(answer.status, 400, "{answer}");
    // In a body it is no JSON, in a text or between the members.
    for body in [&b"{\"address\":\"a\0b\"}"[..], b"{\"address\":\"a\"\0}", b"\0"] {
        place.who.request("POST", "/api/properties").raw_json(body).send().names("body");
    }
    is_untouched(&place);
}

fn a_query_that_is_not_utf_8_is_named_in_a_400() {
    let place = place();
    for list in ["/api/properties", &place.payments_path()] {
        for parameter in PARAMETERS {
            // A lone byte, a cut sequence, an overlong one, half a surrogate pair, beyond Unicode.
            for value in ["%FF", "a%E2%82", "%C0%AF", "%ED%A0%80", "%F4%90%80%80"] {
                place.who.get(&format!("{list}?{parameter}={value}")).names(parameter);
            }
        }
    }
    place.who.get("/api/properties?unknown=%FF&%FF=1").is(200);
}

fn a_body_that_is_not_utf_8_is_refused() {
    let place = place();
    for bytes in [&b"\xff"[..], b"\xe2\x82", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"] {
        // Also in members that nobody reads.
        for member in ["address", "unknown"] {
            let mut body = format!(r#"{{"{member}":"a"#).into_bytes();
            body.extend_from_slice(bytes);
            body.extend_from_slice(br#"","rentalPayments":[]}"#);
            place.who.request("POST", "/api/properties").raw_json(body.clone()).send().names("body");
            place.who.request("PUT", &place.property_path()).raw_json(body).send().names("body");
        }
    }
    is_untouched(&place);
}

fn half_a_surrogate_pair_is_refused() {
    let place = place();
    for spelling in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\ud800""#, r#""\udc00\ud800""#, r#""a\ud83c""#] {
        with_property(&place, "address", spelling).iter().for_each(|answer| answer.names("address"));
        with_payment(&place, "notes", spelling).iter().for_each(|answer| answer.names("notes"));
    }
    is_untouched(&place);
    let [created, _] = with_property(&place, "suburb", r#""\ud83c\udfe0""#);
    assert_eq!(created.is(201).json()["suburb"], "\u{1f3e0}");
}

fn a_member_given_twice_is_named() {
    let place = place();
    for body in [
        r#"{"address":"a","address":"b"}"#,
        r#"{"address":"a","address":"a"}"#,
        r#"{"Address":"a","address":"b"}"#,
        r#"{"address":null,"ADDRESS":"b"}"#,
    ] {
        place.who.request("POST", "/api/properties").raw_json(body).send().names("address");
        place.who.request("PUT", &place.property_path()).raw_json(body).send().names("address");
    }
    with_payment(&place, "amount", r#"1,"Amount":2"#).iter().for_each(|answer| answer.names("amount"));
    is_untouched(&place);
    let [created, replaced] = with_property(&place, "unknown", r#"1,"unknown":2,"Unknown":{"a":1,"a":2}"#);
    created.is(201);
    replaced.is(200);
}

fn the_first_of_a_repeated_parameter_counts() {
    let who = world().tenant();
    let page = who.get("/api/properties?pageNumber=2&pageNumber=3&PageNumber=x&other=1").is(200).json();
    assert_eq!(page["pageNumber"], 2);
    who.get("/api/properties?pageNumber=x&pageNumber=2").names("pageNumber");
}

fn nesting_and_the_number_of_values_are_bounded() {
    let place = place();
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    let many = |count: usize| format!("[1{}]", ",1".repeat(count - 3));
    with_property(&place, "unknown", &nested(33)).iter().for_each(|answer| answer.names("body"));
    with_property(&place, "unknown", &many(64 * 1024 + 1)).iter().for_each(|answer| answer.names("body"));
    with_payment(&place, "unknown", &nested(33)).iter().for_each(|answer| answer.names("body"));
    is_untouched(&place);
    for spelling in [nested(32), many(64 * 1024)] {
        let [created, replaced] = with_property(&place, "unknown", &spelling);
        created.is(201);
        replaced.is(200);
    }
}

fn a_number_in_another_notation_is_refused() {
    let place = place();
    for spelling in ["01", "+1", ".5", "5.", "0x10", "1_000", "NaN", "Infinity", "-Infinity", "1e", "- 1"] {
        with_property(&place, "weeklyRentAmount", spelling).iter().for_each(|answer| answer.names("body"));
    }
    for spelling in [Value::from("1"), json!(true), json!([1])] {
        with_payment(&place, "amount", &spelling.to_string()).iter().for_each(|answer| answer.names("amount"));
    }
    // What the JSON library calls a number among its own.
    let disguised = r#"{"$serde_json::private::Number":"1"}"#;
    with_property(&place, "weeklyRentAmount", disguised).iter().for_each(|answer| answer.names("weeklyRentAmount"));
    with_payment(&place, "amount", disguised).iter().for_each(|answer| answer.names("amount"));
    for spelling in ["1.0", "1e0", "\"1\"", "0", "-1", "9223372036854775808"] {
        with_property(&place, "rowVersion", spelling).iter().for_each(|answer| answer.names("rowVersion"));
    }
    is_untouched(&place);
}
