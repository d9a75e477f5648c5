//! Conditional requests (RFC 9110, section 13): each method, each condition, and both at once, as the order of 13.2.2 has it.

use serde_json::{Value, json};

use crate::support::{
    Answer, NOWHERE, Place, Private, Request, payment_path, payments_path, property_path, together, trials, world,
};

trials![
    each_method_and_condition_is_answered_by_the_order_of_rfc_9110,
    conditions_on_what_is_not_there_are_not_looked_at,
    a_list_has_no_tag_and_matches_nothing_but_a_star,
    what_fails_before_its_body_is_read_is_answered_before_its_conditions,
    conditions_come_before_what_is_wrong_with_the_body,
    conditions_on_the_time_of_a_change_are_ignored,
    a_304_and_a_412_have_the_headers_of_the_others,
    of_many_writers_that_exclude_a_version_none_replaces_it,
    of_many_writers_that_want_nothing_there_none_writes,
    a_condition_that_excludes_names_no_version,
];

const CLIENT: &str = "http://localhost:5112";

/// What stands in a header: nothing, `*`, the current tag, the same as a weak one, another tag, the current among others.
const VALUES: [Option<&str>; 6] =
    [None, Some("*"), Some("CURRENT"), Some("W/CURRENT"), Some("\"99\""), Some("\"99\", CURRENT, \"x\"")];

/// Whether a tag list matches, by strong or by weak comparison (8.8.3.2).
fn matches(value: &str, is_weak_enough: bool) -> bool {
    value == "*" || (value.contains("CURRENT") && (is_weak_enough || !value.starts_with("W/")))
}

/// The status that 13.2.2 gives a request on what is there.
fn expected(method: &str, if_match: Option<&str>, if_none_match: Option<&str>, done: u16) -> u16 {
    let is_read = ["GET", "HEAD"].contains(&method);
    if if_match.is_some_and(|value| !matches(value, false)) {
        return 412;
    }
    if if_none_match.is_some_and(|value| matches(value, true)) {
        return if is_read { 304 } else { 412 };
    }
    done
}

fn with_conditions(request: Request, tag: &str, if_match: Option<&str>, if_none_match: Option<&str>) -> Request {
    [("If-Match", if_match), ("If-None-Match", if_none_match)].into_iter().fold(request, |request, (name, value)| {
        value.into_iter().fold(request, |request, value| request.header(name, value.replace("CURRENT", tag)))
    })
}

fn each_method_and_condition_is_answered_by_the_order_of_rfc_9110() {
    let place = Place::of(world().tenant());
    let who = &place.who;
    let mut asked = 0;
    for if_match in VALUES {
        for if_none_match in VALUES {
            for (method, done) in [("GET", 200), ("HEAD", 200), ("PUT", 200), ("DELETE", 204)] {
                for is_payment in [false, true] {
                    // Of each DELETE that is carried out something else is left.
                    let (path, body, done) = match is_payment {
                        false => {
                            (property_path(&who.property_at("1 Main St")), json!({ "address": "2 Main St" }), done)
                        }
                        true => {
                            let path = payment_path(&place.property, &who.payment_of(&place.property, 1));
                            (path, who.cash(2), if method == "PUT" { 204 } else { done })
                        }
                    };
                    let before = who.get(&path).is(200);
                    let request = with_conditions(who.request(method, &path), &before.etag(), if_match, if_none_match);
                    let request = if method == "PUT" { request.json(&body) } else { request };
                    let answer = request.send();
                    let expected = expected(method, if_match, if_none_match, done);
                    let what = format!("{method} {path} If-Match: {if_match:?} If-None-Match: {if_none_match:?}");
                    assert_eq!(answer.status, expected, "{what}: {answer}");
                    if expected == 304 || (expected == 200 && method != "PUT") {
                        assert_eq!(answer.etag(), before.etag(), "{what}: {answer}");
                    }
                    if [304, 412].contains(&expected) {
                        let after = who.get(&path).is(200);
                        assert_eq!(
                            (after.etag(), &after.body),
                            (before.etag(), &before.body),
                            "{what} changed something"
                        );
                    }
                    asked += 1;
                }
            }
        }
    }
    assert_eq!(asked, 6 * 6 * 4 * 2);
}

fn conditions_on_what_is_not_there_are_not_looked_at() {
    let place = Place::of(world().tenant());
    let who = &place.who;
    for path in [property_path(NOWHERE), payment_path(&place.property, NOWHERE), payment_path(NOWHERE, &place.payment)]
    {
        for if_match in VALUES {
            for if_none_match in VALUES {
                for method in ["GET", "HEAD", "PUT", "DELETE"] {
                    let request = with_conditions(who.request(method, &path), "\"1\"", if_match, if_none_match);
                    // Neither is anything else that is wrong with the request.
                    if method == "PUT" { request.json(&json!({})) } else { request }.send().is(404);
                }
            }
        }
    }
    for value in ["*", "\"1\""] {
        for name in ["If-Match", "If-None-Match"] {
            let post = |path: &str| who.request("POST", path).header(name, value).json(&who.cash(1)).send();
            post(&payments_path(NOWHERE)).problem(404);
            who.request("GET", &payments_path(NOWHERE)).header(name, value).send().problem(404);
        }
    }
}

/// 13.1.1 and 13.1.2: `*` stands for any current representation, and a list has one; no tag in a header is that of a list.
fn a_list_has_no_tag_and_matches_nothing_but_a_star() {
    let place = Place::of(world().tenant());
    let who = &place.who;
    let lists = ["/api/properties".to_owned(), place.payments_path()];
    for path in lists.iter().map(String::as_str).chain(["/api/paymentmethods", "/api/openapi.json"]) {
        for (name, value, get) in [
            ("If-Match", "*", 200),
            ("If-Match", "\"1\"", 412),
            ("If-None-Match", "*", 304),
            ("If-None-Match", "\"1\"", 200),
        ] {
            for method in ["GET", "HEAD"] {
                let answer = who.request(method, path).header(name, value).send();
                assert_eq!(answer.status, get, "{method} {path} {name}: {value}: {answer}");
                assert_eq!(answer.header("etag"), None, "{answer}");
            }
        }
    }
    for (path, body) in [(&lists[0], json!({ "address": "2 Main St" })), (&lists[1], who.cash(1))] {
        for (name, value, post) in [
            ("If-Match", "*", 201),
            ("If-Match", "\"1\"", 412),
            ("If-None-Match", "*", 412),
            ("If-None-Match", "\"1\"", 201),
        ] {
            let before = who.get(path).is(200).json()["totalCount"].as_i64();
            let answer = who.request("POST", path).header(name, value).json(&body).send();
            assert_eq!(answer.status, post, "POST {path} {name}: {value}: {answer}");
            let after = who.get(path).is(200).json()["totalCount"].as_i64();
            assert_eq!(after, before.map(|count| count + i64::from(post == 201)), "{path} {name}: {value}");
        }
    }
    // The order to the breaker replaces what is always there.
    let operator = world().administrator();
    let order = |name: &str, value: &str| {
        operator.request("PUT", "/api/cache/breaker").header(name, value).json(&json!({ "mode": "auto" })).send()
    };
    order("If-None-Match", "*").problem(412);
    order("If-Match", "\"1\"").problem(412);
    order("If-Match", "*").is(200);
}

/// 13.2.1: what would fail without the conditions fails as it would.
fn what_fails_before_its_body_is_read_is_answered_before_its_conditions() {
    let place = Place::of(world().tenant());
    let path = place.property_path();
    let failing = |request: Request| request.header("If-Match", "\"99\"").send();
    failing(world().request("GET", &path)).problem(401);
    failing(place.who.request("PATCH", &path)).problem(405);
    failing(place.who.request("PUT", &path).body("x")).problem(415);
    failing(place.who.request("GET", "/api/properties?pageSize=x")).problem(400);
    failing(world().tenant_named("a:b").request("GET", &path)).problem(403);
    failing(world().request("OPTIONS", &path)).is(204);
}

/// 13.2.1: they are evaluated just before the content is processed; the contract's version in a body comes last.
fn conditions_come_before_what_is_wrong_with_the_body() {
    let place = Place::of(world().tenant());
    let who = &place.who;
    let unknown_method = json!({ "amount": 1, "paymentDate": "2025-01-01", "paymentMethodId": NOWHERE });
    let versioned = |mut body: Value| {
        body["rowVersion"] = json!(9);
        body
    };
    for (path, wrong, good) in [
        (place.property_path(), json!({ "address": "" }), json!({ "address": "x" })),
        (place.payment_path(), json!({}), who.cash(1)),
        (place.payment_path(), unknown_method, who.cash(1)),
    ] {
        let tag = who.get(&path).etag();
        let put =
            |name: &str, value: &str, body: &Value| who.request("PUT", &path).header(name, value).json(body).send();
        for body in &[wrong.clone(), versioned(wrong.clone()), versioned(good)] {
            put("If-Match", "\"99\"", body).problem(412);
            put("If-None-Match", &tag, body).problem(412);
            put("If-None-Match", "*", body).problem(412);
        }
        put("If-Match", &tag, &wrong).problem(400);
        put("If-None-Match", "\"99\"", &versioned(wrong.clone())).problem(400);
        assert_eq!(who.get(&path).etag(), tag);
    }
    for (path, wrong) in [("/api/properties".to_owned(), json!({})), (place.payments_path(), json!({}))] {
        who.request("POST", &path).header("If-Match", "\"1\"").json(&wrong).send().problem(412);
        who.request("POST", &path).header("If-Match", "*").json(&wrong).send().problem(400);
    }
}

/// 13.1.3 and 13.1.4: nothing here tells when it was changed last; 14.2: nor has it parts.
fn conditions_on_the_time_of_a_change_are_ignored() {
    let place = Place::of(world().tenant());
    for path in [place.property_path(), place.payment_path(), place.payments_path()] {
        for (name, value) in [
            ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"),
            ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("Range", "bytes=0-0"),
            ("If-Range", "\"99\""),
        ] {
            let answer = place.who.request("GET", &path).header(name, value).send().is(200);
            assert_eq!(answer.header("last-modified"), None, "{answer}");
        }
    }
    let put =
        place.who.request("PUT", &place.property_path()).header("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT");
    put.json(&json!({ "address": "x" })).send().is(200);
}

/// 15.4.5: what a 200 would have told of itself; the Fetch standard: or no script could read it.
fn a_304_and_a_412_have_the_headers_of_the_others() {
    let place = Place::of(world().tenant());
    for path in place.routes() {
        let ask = |method: &str| place.who.request(method, &path).header("Origin", CLIENT);
        let full = ask("GET").send().is(200);
        let cors = ["access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"];
        for method in ["GET", "HEAD"] {
            let unmodified = ask(method).header("If-None-Match", "*").send().is(304);
            for name in ["etag", "vary", "cache-control"].into_iter().chain(cors) {
                assert_eq!(unmodified.header(name), full.header(name), "{name}: {unmodified}");
            }
            assert_eq!(unmodified.header("content-type"), None, "{unmodified}");
            assert!(unmodified.header("cache-status").is_some(), "{unmodified}");
        }
        for failed in [
            ask("GET").header("If-Match", "\"99\"").send().is(412),
            ask("HEAD").header("If-Match", "\"99\"").send().is(412),
        ] {
            for name in ["vary"].into_iter().chain(cors) {
                assert_eq!(failed.header(name), full.header(name), "{name}: {failed}");
            }
            assert_eq!(failed.needs("cache-control"), "no-store");
            assert_eq!(failed.header("etag"), full.header("etag"), "which version there is instead: {failed}");
            assert!(failed.header("cache-status").is_some(), "{failed}");
        }
    }
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}

/// The version is compared where the row is locked: a look before the statement would let several through.
fn of_many_writers_that_exclude_a_version_none_replaces_it() {
    for _ in 0..5 {
        let who = world().tenant();
        let path = property_path(&who.property_at("1 Main St"));
        // Seven may replace anything but what the eighth makes, and it begins at the same time.
        let answers = together(8, |number| {
            let put = who.request("PUT", &path).json(&json!({ "address": format!("{number} Race St") }));
            let excluded = if number == 0 { "\"99\"" } else { "\"1\"" };
            put.header("If-None-Match", excluded).send()
        });
        assert!(answers.iter().all(|answer| [200, 412].contains(&answer.status)), "{answers:?}");
        let replaced = answers.iter().filter(|answer| answer.status == 200);
        let mut versions: Vec<i64> = replaced.filter_map(|answer| answer.json()["rowVersion"].as_i64()).collect();
        versions.sort_unstable();
        // Version 1 was replaced once, by the one that may, and each after it once.
        assert_eq!(versions, (2..).take(versions.len()).collect::<Vec<_>>(), "{answers:?}");
        let second = answers.iter().find(|answer| answer.status == 200 && answer.json()["rowVersion"] == 2);
        assert_eq!(second.map(|answer| answer.json()["address"].clone()), Some(json!("0 Race St")), "{answers:?}");
    }
}

fn of_many_writers_that_want_nothing_there_none_writes() {
    let place = Place::of(world().tenant());
    for (path, body) in [(place.property_path(), json!({ "address": "x" })), (place.payment_path(), place.who.cash(5))]
    {
        let answers = together(8, |number| match number % 2 {
            0 => place.who.request("PUT", &path).header("If-None-Match", "*").json(&body).send(),
            _ => place.who.request("DELETE", &path).header("If-None-Match", "*").send(),
        });
        assert_eq!(statuses(&answers), [412; 8], "{answers:?}");
        assert_eq!(place.who.get(&path).is(200).json()["rowVersion"], 1);
    }
}

fn a_condition_that_excludes_names_no_version() {
    let own = Private::with(&[("require_if_match", "true")]);
    let who = own.tenant();
    let path = property_path(&who.property_at("1 Main St"));
    let put =
        |value: &str| who.request("PUT", &path).header("If-None-Match", value).json(&json!({ "address": "x" })).send();
    put("\"99\"").problem(428);
    put("*").problem(412);
    who.request("DELETE", &path).header("If-None-Match", "\"99\"").send().problem(428);
    who.request("DELETE", &path).header("If-None-Match", "\"1\"").send().problem(412);
    assert_eq!(who.get(&path).is(200).json()["rowVersion"], 1);
}
