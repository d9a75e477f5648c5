//! Values: how texts, money and times are read, kept and answered.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::{Answer, Tenant, property_path, trials, world};

/// Text members and how many characters each may have.
const TEXTS: [(&str, usize); 7] = [
    ("address", 200),
    ("suburb", 100),
    ("state", 50),
    ("postCode", 10),
    ("description", 500),
    ("propertyManager", 100),
    ("propertyManagerContact", 100),
];

trials![
    texts_may_have_their_length_in_characters,
    a_text_one_character_too_long_is_named_in_a_400,
    a_member_of_the_wrong_type_is_named_in_a_400,
    money_keeps_its_exact_value,
    money_outside_its_bounds_is_named_in_a_400,
    times_are_answered_in_utc,
    an_invalid_time_is_named_in_a_400,
    text_comes_back_as_it_was_sent,
    a_nul_character_is_refused,
];

/// POSTs a property with this member as it is spelled: the answer.
/// The instant that an answer says, which must be in UTC.
pub fn instant(text: &Value) -> DateTime<Utc> {
    let text = text.as_str().unwrap_or_else(|| panic!("no time: {text}"));
    assert!(text.ends_with('Z'), "answered in UTC with Z: {text}");
    DateTime::parse_from_rfc3339(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_utc()
}

fn with_spelling(who: &Tenant, member: &str, spelling: &str) -> Answer {
    let body = format!(r#"{{"address":"1 Main St","{member}":{spelling}}}"#);
    who.request("POST", "/api/properties").raw_json(body).send()
}

fn texts_may_have_their_length_in_characters() {
    let who = world().tenant();
    for letter in ["x", "\u{e9}", "\u{6771}", "\u{1f3e0}"] {
        let mut body = json!({});
        for (member, length) in TEXTS {
            body[member] = letter.repeat(length).into();
        }
        let created = who.post("/api/properties", &body).is(201).json();
        for (member, _) in TEXTS {
            assert_eq!(created[member], body[member], "{member} of {letter}");
        }
    }
}

fn a_text_one_character_too_long_is_named_in_a_400() {
    let who = world().tenant();
    let path = property_path(&who.property_at("1 Main St"));
    for (member, length) in TEXTS {
        for letter in ["x", "\u{1f3e0}"] {
            let mut body = json!({ "address": "1 Main St" });
            body[member] = letter.repeat(length + 1).into();
            who.post("/api/properties", &body).names(member);
            who.put(&path, &body).names(member);
        }
    }
}

fn a_member_of_the_wrong_type_is_named_in_a_400() {
    let who = world().tenant();
    for (member, _) in TEXTS {
        for wrong in ["5", "true", "[]", "{}"] {
            // Once, also for the address: a member given twice would be another question.
            let body = match member {
                "address" => format!(r#"{{"address":{wrong}}}"#),
                _ => format!(r#"{{"address":"1 Main St","{member}":{wrong}}}"#),
            };
            who.request("POST", "/api/properties").raw_json(body).send().names(member);
        }
    }
    for wrong in [r#""650""#, "true", "[]", "{}"] {
        with_spelling(&who, "weeklyRentAmount", wrong).names("weeklyRentAmount");
    }
    for wrong in ["5", "true", "[]", "{}"] {
        with_spelling(&who, "leaseStartDate", wrong).names("leaseStartDate");
        with_spelling(&who, "leaseEndDate", wrong).names("leaseEndDate");
    }
}

fn money_keeps_its_exact_value() {
    let who = world().tenant();
    for (sent, expected) in [
        ("650", "650"),
        ("650.5", "650.5"),
        ("650.55", "650.55"),
        ("1.100", "1.1"),
        ("1e2", "100"),
        ("1E+2", "100"),
        ("12.50", "12.5"),
        ("100.00", "100"),
        ("125e-2", "1.25"),
        ("1000e-3", "1"),
        ("0", "0"),
        ("-0.00", "0"),
        ("0.01", "0.01"),
        ("-0.01", "-0.01"),
        ("0.1", "0.1"),
        ("0.30", "0.3"),
        ("19.99", "19.99"),
        ("1.10000000000000000000000000000000", "1.1"),
        ("9999999999999999.99", "9999999999999999.99"),
        ("-9999999999999999.99", "-9999999999999999.99"),
        ("9007199254740993", "9007199254740993"),
        ("1e15", "1000000000000000"),
    ] {
        let created = with_spelling(&who, "weeklyRentAmount", sent).is(201);
        assert_eq!(created.spelling("weeklyRentAmount").as_deref(), Some(expected), "{sent}: {created}");
        for _ in ["miss", "hit"] {
            let read = who.get(&created.needs("location")).is(200);
            assert_eq!(read.spelling("weeklyRentAmount").as_deref(), Some(expected), "{sent}: {read}");
        }
    }
}

fn money_outside_its_bounds_is_named_in_a_400() {
    let who = world().tenant();
    for sent in [
        "0.001",
        "1.005",
        "1e-3",
        "650.555",
        "10000000000000000",
        "-10000000000000000",
        "9999999999999999.991",
        "1e16",
        "1e400",
        "-1e400",
        "1e-400",
        "1e1000000000",
        "1e-1000000000",
        "1e99999999999999999999",
    ] {
        with_spelling(&who, "weeklyRentAmount", sent).names("weeklyRentAmount");
    }
}

fn times_are_answered_in_utc() {
    let who = world().tenant();
    for (sent, expected) in [
        ("2025-03-01T10:00:00Z", "2025-03-01T10:00:00Z"),
        ("2025-03-01T10:00:00+10:00", "2025-03-01T00:00:00Z"),
        ("2025-03-01T22:30:00-05:30", "2025-03-02T04:00:00Z"),
        ("2025-03-01T10:00:00", "2025-03-01T10:00:00Z"),
        ("2025-03-01", "2025-03-01T00:00:00Z"),
        ("2025-03-01T10:00:00.25Z", "2025-03-01T10:00:00.25Z"),
        ("2025-03-01T10:00:00.123456", "2025-03-01T10:00:00.123456Z"),
        ("2024-02-29", "2024-02-29T00:00:00Z"),
        // System.Text.Json, with which RentTracker's backend reads: seconds are optional with an offset too
        // (JsonHelpers.Date.cs), and so are the offset's minutes.
        ("2024-01-01T10:00", "2024-01-01T10:00:00Z"),
        ("2024-01-01T10:00Z", "2024-01-01T10:00:00Z"),
        ("2024-01-01T10:00+10:00", "2024-01-01T00:00:00Z"),
        ("2024-01-01T10:00-05:30", "2024-01-01T15:30:00Z"),
        ("2024-01-01T10:00+10", "2024-01-01T00:00:00Z"),
        ("2024-01-01T10:00:30-10", "2024-01-01T20:00:30Z"),
        ("2024-01-01T10:00:00.1234567890123456Z", "2024-01-01T10:00:00.123456Z"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999Z"),
    ] {
        let created = with_spelling(&who, "leaseStartDate", &format!("{sent:?}")).is(201);
        let expected = instant(&json!(expected));
        assert_eq!(instant(&created.json()["leaseStartDate"]), expected, "{sent}");
        let read = who.get(&created.needs("location")).is(200);
        assert_eq!(read.json()["leaseStartDate"], created.json()["leaseStartDate"], "{sent}");
    }
    // What .NET's clock writes: one digit more than PostgreSQL keeps.
    let created = with_spelling(&who, "leaseEndDate", r#""2025-03-01T10:00:00.1234567+11:00""#).is(201).json();
    let off = instant(&created["leaseEndDate"]) - instant(&json!("2025-02-28T23:00:00.1234567Z"));
    assert!(off.abs() <= chrono::TimeDelta::microseconds(1), "{created}");
}

fn an_invalid_time_is_named_in_a_400() {
    let who = world().tenant();
    for sent in [
        "",
        "yesterday",
        "2024-01-01T10:00 +10:00",
        "2024-01-01T10:00+25:00",
        "2024-01-01T10Z",
        "2024-01-01Z",
        "2025-13-01",
        "2025-02-29",
        "2025-03-01T25:00:00Z",
        "01/03/2025",
        "2025-03-01T10:00:00+99:00",
    ] {
        with_spelling(&who, "leaseStartDate", &format!("{sent:?}")).names("leaseStartDate");
    }
}

fn text_comes_back_as_it_was_sent() {
    let who = world().tenant();
    let odd = r#"<script>alert("1")</script> \ / ' '' ; -- % _ 東京 🏠 é Ω"#.to_owned() + "\t\n\r\u{1}\u{7f}\u{2028}";
    let id = who.property(&json!({ "address": odd, "description": odd }));
    for _ in ["miss", "hit"] {
        let read = who.get(&property_path(&id)).is(200).json();
        assert_eq!([&read["address"], &read["description"]], [&json!(odd), &json!(odd)]);
        assert_eq!(who.get("/api/properties").json()["items"][0], read);
    }
}

fn a_nul_character_is_refused() {
    // PostgreSQL's text has no NUL: an answer of 5xx would be ours.
    let who = world().tenant();
    with_spelling(&who, "suburb", r#""a\u0000b""#).names("suburb");
}
