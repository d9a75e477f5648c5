//! Properties: every status code of their rows, and how their members are read and written.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::world::{Tenant, property_path, trials, world};

const NOWHERE: &str = "/api/properties/0190b5a8-dead-7000-8000-000000000001";
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
    a_created_property_is_answered_whole,
    a_created_property_says_where_it_is,
    a_created_property_has_an_etag_and_a_version,
    ids_are_made_by_the_server_in_version_7,
    an_id_in_a_new_body_is_ignored,
    a_created_property_can_be_read,
    nulls_are_left_out,
    put_answers_the_new_body,
    put_replaces_all_writable_members,
    put_keeps_what_the_client_may_not_write,
    put_ignores_an_id_in_the_body,
    every_change_counts_the_version_up,
    a_deleted_property_is_gone,
    deleting_a_property_takes_its_payments,
    what_is_not_there_is_404_for_every_method,
    not_found_comes_before_validation,
    an_address_is_required,
    a_failed_write_changes_nothing,
    texts_may_have_their_length_in_characters,
    a_character_too_many_is_named,
    several_faults_are_all_named,
    a_member_of_the_wrong_type_is_named,
    money_keeps_its_exact_value,
    money_outside_its_bounds_is_named,
    times_are_answered_in_utc,
    what_is_no_time_is_named,
    members_match_in_any_case,
    unknown_members_are_ignored,
    text_comes_back_as_it_was_sent,
    a_nul_character_is_refused,
];

fn whole() -> Value {
    json!({
        "address": "12 Harbour Rd", "suburb": "Newtown", "state": "NSW", "postCode": "2042",
        "description": "Two bedrooms", "weeklyRentAmount": 650.5, "leaseStartDate": "2025-01-01T00:00:00Z",
        "leaseEndDate": "2025-12-31T00:00:00Z", "propertyManager": "Ann", "propertyManagerContact": "ann@example.com"
    })
}

/// POSTs a property with this member as it is spelled: the answer.
fn with_spelling(who: &Tenant, member: &str, spelling: &str) -> crate::world::Answer {
    let body = format!(r#"{{"address":"1 Main St","{member}":{spelling}}}"#);
    who.request("POST", "/api/properties").raw_json(body).send()
}

fn instant(text: &Value) -> DateTime<Utc> {
    let text = text.as_str().unwrap_or_else(|| panic!("no time: {text}"));
    assert!(text.ends_with('Z'), "answered in UTC with Z: {text}");
    DateTime::parse_from_rfc3339(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_utc()
}

fn a_created_property_is_answered_whole() {
    let answer = world().tenant().post("/api/properties", &whole()).is(201);
    assert_eq!(answer.needs("content-type"), "application/json");
    let mut body = answer.json();
    let members = body.as_object_mut().expect("an object");
    for server_made in ["id", "createdAt", "updatedAt", "rowVersion"] {
        assert!(members.remove(server_made).is_some(), "no {server_made}: {answer}");
    }
    assert_eq!(body, whole());
}

fn a_created_property_says_where_it_is() {
    let answer = world().tenant().post("/api/properties", &whole()).is(201);
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(answer.needs("location"), property_path(&id));
}

fn a_created_property_has_an_etag_and_a_version() {
    let who = world().tenant();
    let created = who.post("/api/properties", &whole()).is(201);
    assert_eq!(created.json()["rowVersion"], 1);
    let read = who.get(&created.needs("location")).is(200);
    assert_eq!(read.etag(), created.etag());
}

fn ids_are_made_by_the_server_in_version_7() {
    let id = uuid::Uuid::parse_str(&world().tenant().property(&whole())).expect("a UUID");
    assert_eq!(id.get_version_num(), 7);
}

fn an_id_in_a_new_body_is_ignored() {
    let who = world().tenant();
    for sent in [json!("0190b5a8-beef-7000-8000-000000000001"), json!(5), json!("x"), json!(null)] {
        let id = who.property(&json!({ "id": sent, "address": "1 Main St" }));
        assert_ne!(json!(id), sent);
    }
}

fn a_created_property_can_be_read() {
    let who = world().tenant();
    let created = who.post("/api/properties", &whole()).is(201);
    let read = who.get(&created.needs("location")).is(200);
    assert_eq!(read.json(), created.json());
    assert_eq!(read.needs("content-type"), "application/json");
}

fn nulls_are_left_out() {
    let who = world().tenant();
    let mut body = json!({ "address": "1 Main St" });
    for member in ["suburb", "state", "postCode", "description", "weeklyRentAmount", "leaseStartDate", "leaseEndDate"] {
        body[member] = Value::Null;
    }
    let created = who.post("/api/properties", &body).is(201).json();
    let mut members: Vec<&str> = created.as_object().expect("an object").keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["address", "createdAt", "id", "rowVersion", "updatedAt"]);
    let path = property_path(created["id"].as_str().expect("an id"));
    assert_eq!(who.get(&path).json(), created);
    assert_eq!(who.get("/api/properties").json()["items"][0], created);
}

fn put_answers_the_new_body() {
    let who = world().tenant();
    let path = property_path(&who.property_at("1 Old St"));
    let changed = who.put(&path, &whole()).is(200);
    assert_eq!(changed.json()["address"], "12 Harbour Rd");
    let read = who.get(&path).is(200);
    assert_eq!(read.json(), changed.json());
    assert_eq!(read.etag(), changed.etag());
}

fn put_replaces_all_writable_members() {
    let who = world().tenant();
    let path = property_path(&who.property(&whole()));
    let changed = who.put(&path, &json!({ "address": "2 New St" })).is(200).json();
    let mut members: Vec<&str> = changed.as_object().expect("an object").keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["address", "createdAt", "id", "rowVersion", "updatedAt"]);
}

fn put_keeps_what_the_client_may_not_write() {
    let who = world().tenant();
    let created = who.post("/api/properties", &whole()).is(201).json();
    let path = property_path(created["id"].as_str().expect("an id"));
    let body =
        json!({ "address": "2 New St", "createdAt": "1999-01-01T00:00:00Z", "updatedAt": "1999-01-01T00:00:00Z" });
    std::thread::sleep(Duration::from_millis(2));
    let changed = who.put(&path, &body).is(200).json();
    assert_eq!(changed["createdAt"], created["createdAt"]);
    assert!(instant(&changed["updatedAt"]) > instant(&created["updatedAt"]), "{changed}");
}

fn put_ignores_an_id_in_the_body() {
    let who = world().tenant();
    let (one, two) = (who.property_at("1 First St"), who.property_at("2 Second St"));
    let changed = who.put(&property_path(&one), &json!({ "id": two, "address": "3 Third St" })).is(200).json();
    assert_eq!(changed["id"], one);
    assert_eq!(who.get(&property_path(&two)).json()["address"], "2 Second St");
}

fn every_change_counts_the_version_up() {
    let who = world().tenant();
    let path = property_path(&who.property_at("1 Main St"));
    let mut tags = vec![who.get(&path).etag()];
    for version in 2..=4 {
        let changed = who.put(&path, &json!({ "address": "1 Main St" })).is(200);
        assert_eq!(changed.json()["rowVersion"], version);
        assert!(!tags.contains(&changed.etag()), "an ETag came twice: {changed}");
        tags.push(changed.etag());
    }
}

fn a_deleted_property_is_gone() {
    let who = world().tenant();
    let path = property_path(&who.property_at("1 Main St"));
    who.get(&path).is(200);
    who.delete(&path).is(204);
    who.get(&path).problem(404);
    who.delete(&path).problem(404);
    assert_eq!(who.get("/api/properties").json()["totalCount"], 0);
}

fn deleting_a_property_takes_its_payments() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    who.payment_of(&property, 100);
    who.payment_of(&property, 200);
    who.delete(&property_path(&property)).is(204);
    let left = who.world.query("SELECT 1 FROM payments WHERE tenant_id = $1", &[&who.id]);
    assert_eq!(left.len(), 0, "payments outlive their property");
}

fn what_is_not_there_is_404_for_every_method() {
    let who = world().tenant();
    who.get(NOWHERE).problem(404);
    who.put(NOWHERE, &whole()).problem(404);
    who.delete(NOWHERE).problem(404);
}

fn not_found_comes_before_validation() {
    world().tenant().put(NOWHERE, &json!({ "address": "" })).problem(404);
}

fn an_address_is_required() {
    let who = world().tenant();
    let path = property_path(&who.property_at("1 Main St"));
    for body in [json!({}), json!({ "address": null }), json!({ "address": "" }), json!({ "address": " \t\u{a0}" })] {
        who.post("/api/properties", &body).names("address");
        who.put(&path, &body).names("address");
    }
}

fn a_failed_write_changes_nothing() {
    let who = world().tenant();
    let path = property_path(&who.property(&whole()));
    let before = who.get(&path).json();
    who.put(&path, &json!({ "address": "", "suburb": "Changed" })).is(400);
    who.post("/api/properties", &json!({ "suburb": "Changed" })).is(400);
    assert_eq!(who.get(&path).json(), before);
    assert_eq!(who.get("/api/properties").json()["totalCount"], 1);
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

fn a_character_too_many_is_named() {
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

fn several_faults_are_all_named() {
    let body = json!({ "suburb": "x".repeat(101), "postCode": "x".repeat(11) });
    let answer = world().tenant().post("/api/properties", &body);
    for member in ["address", "suburb", "postCode"] {
        answer.names(member);
    }
}

fn a_member_of_the_wrong_type_is_named() {
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

fn money_outside_its_bounds_is_named() {
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

fn what_is_no_time_is_named() {
    let who = world().tenant();
    for sent in
        ["", "yesterday", "2025-13-01", "2025-02-29", "2025-03-01T25:00:00Z", "01/03/2025", "2025-03-01T10:00:00+99:00"]
    {
        with_spelling(&who, "leaseStartDate", &format!("{sent:?}")).names("leaseStartDate");
    }
}

fn members_match_in_any_case() {
    let who = world().tenant();
    let body = json!({ "Address": "1 Main St", "SUBURB": "Newtown", "postcode": "2042", "WeeklyRentAmount": 5 });
    let created = who.post("/api/properties", &body).is(201).json();
    let shown = [&created["address"], &created["suburb"], &created["postCode"], &created["weeklyRentAmount"]];
    assert_eq!(shown, [&json!("1 Main St"), &json!("Newtown"), &json!("2042"), &json!(5)]);
    // Whatever was sent, the name in an error is the contract's.
    who.post("/api/properties", &json!({ "Address": "1 Main St", "PostCode": "x".repeat(11) })).names("postCode");
}

fn unknown_members_are_ignored() {
    let body = json!({
        "address": "1 Main St", "rentalPayments": [{ "amount": "x" }], "attachments": [], "owner": { "id": 1 },
        "tenantId": "someone-else", "$type": "x", "": null
    });
    let created = world().tenant().post("/api/properties", &body).is(201).json();
    assert_eq!(created.as_object().map(serde_json::Map::len), Some(5), "{created}");
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
