use super::*;
use proptest::prelude::*;

fn members(json: &str) -> Members<'_> {
    Members::parse(json.as_bytes()).expect("a JSON object")
}

#[test]
fn names_match_in_any_case_and_null_is_absent() {
    let mut body = members(r#"{"ADDRESS": "1 High St", "suburb": null}"#);
    assert_eq!(body.required_text("address", 200).as_deref(), Some("1 High St"));
    assert_eq!(body.optional_text("suburb", 100), None);
    assert!(body.finish().is_ok());
}

#[test]
fn lengths_are_counted_in_characters() {
    let mut body = members(r#"{"state": "ääääää"}"#);
    assert!(body.optional_text("state", 6).is_some());
    assert!(body.optional_text("state", 5).is_none());
    assert!(body.finish().is_err());
}

#[test]
fn every_complaint_names_its_member() {
    let mut body =
        members(r#"{"address": 5, "amount": "5", "when": "soon", "id": "x", "rowVersion": 0, "note": "a\u0000"}"#);
    body.required_text("address", 200);
    body.required_money("amount");
    body.required_time("when");
    body.optional_id("id", crate::domain::PropertyId::parse);
    body.optional_version("rowVersion");
    body.optional_text("note", 10);
    body.required_time("missing");
    let violations = body.finish().expect_err("seven members are wrong");
    assert_eq!(
        violations.by_member().keys().collect::<Vec<_>>(),
        ["address", "amount", "id", "missing", "note", "rowVersion", "when"]
    );
}

#[test]
fn numbers_and_lists_have_their_bounds() {
    let mut body =
        members(r#"{"a": 5, "b": 6, "c": -1, "d": "5", "e": 5.0, "f": ["x", "y"], "g": [], "h": [1], "i": ["z"]}"#);
    assert_eq!(body.optional_number("a", 1..=5), Some(5));
    for member in ["b", "c", "d", "e"] {
        assert_eq!(body.optional_number(member, 1..=5), None, "{member}");
    }
    let not_z = |text: &str| (text != "z").then(|| text.to_owned());
    assert_eq!(body.optional_list("f", 2, not_z, "is not z"), Some(vec!["x".to_owned(), "y".to_owned()]));
    for (member, max) in [("f", 1), ("g", 2), ("h", 2), ("i", 2), ("a", 2)] {
        assert_eq!(body.optional_list(member, max, not_z, "is not z"), None, "{member}");
    }
    let violations = body.finish().expect_err("members are wrong");
    assert_eq!(violations.by_member().keys().collect::<Vec<_>>(), ["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
}

#[test]
fn a_body_that_is_no_json_object_is_a_violation() {
    for bad in [
        "",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":nul}",
        "{\"a\":\"\\x\"}",
        "[]",
        "5",
        "{",
        "{} x",
        "{\"a\":1,}",
        "// c\n{}",
        "\"\u{0}\"",
    ] {
        let violations = Members::parse(bad.as_bytes()).expect_err(bad);
        assert!(violations.by_member().contains_key("body"), "{bad}");
    }
    assert!(Members::parse(&"[".repeat(100_000).into_bytes()).is_err());
    assert!(Members::parse(&[0xff, 0xfe]).is_err());
}

#[test]
fn a_member_given_twice_in_any_case_is_refused_if_anybody_asks_for_it() {
    for twice in
        [r#""address": "a", "address": "b""#, r#""Address": "a", "address": "a""#, r#""address": null, "ADDRESS": "a""#]
    {
        let json = format!("{{{twice}}}");
        let mut body = members(&json);
        body.optional_text("address", 200);
        let violations = body.finish().expect_err(twice);
        assert_eq!(violations.by_member()["address"], ["is given more than once"], "{twice}");
    }
    let mut body = members(r#"{"address": "a", "other": 1, "other": 2, "deep": {"a": 1, "a": 2}}"#);
    assert_eq!(body.required_text("address", 200).as_deref(), Some("a"));
    assert!(body.finish().is_ok());
}

#[test]
fn an_object_is_no_number_whatever_its_members_are_called() {
    for name in ["$serde_json::private::Number", "$serde_json::private::RawValue"] {
        let json =
            format!(r#"{{"amount": {{"{name}": "5"}}, "rowVersion": {{"{name}": "5"}}, "id": {{"{name}": "5"}}}}"#);
        let mut body = members(&json);
        body.optional_money("amount");
        body.optional_version("rowVersion");
        body.optional_text("id", 5);
        assert_eq!(body.finish().expect_err("no numbers").by_member().len(), 3, "{json}");
    }
}

#[test]
fn nesting_and_the_number_of_values_are_bounded() {
    let nested = |levels: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert!(Members::parse(nested(MAX_NESTING).as_bytes()).is_ok());
    assert!(Members::parse(nested(MAX_NESTING + 1).as_bytes()).is_err());
    let elements = |count: usize| format!(r#"{{"a":[1{}]}}"#, ",1".repeat(count - 3));
    assert!(Members::parse(elements(MAX_VALUES + 1).as_bytes()).is_ok());
    assert!(Members::parse(elements(MAX_VALUES + 2).as_bytes()).is_err());
    // What stands in a text is text.
    let text = format!(r#"{{"a":"\\\"{}"}}"#, "[{,".repeat(MAX_VALUES));
    assert!(Members::parse(text.as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn no_body_makes_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Members::parse(&body);
    }
}
