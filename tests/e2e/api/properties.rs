//! Properties: every status code of their rows, and how their members are read and written.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::values::instant;
use crate::support::{NOWHERE, property_path, trials, world};

trials![
    a_created_property_is_answered_whole,
    a_created_property_says_where_it_is,
    a_created_property_has_an_etag_and_a_version,
    ids_are_made_by_the_server_in_version_7,
    an_id_in_the_body_of_a_post_is_ignored,
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
    several_faults_are_all_named,
    members_match_in_any_case,
    unknown_members_are_ignored,
];

fn whole() -> Value {
    json!({
        "address": "12 Harbour Rd", "suburb": "Newtown", "state": "NSW", "postCode": "2042",
        "description": "Two bedrooms", "weeklyRentAmount": 650.5, "leaseStartDate": "2025-01-01T00:00:00Z",
        "leaseEndDate": "2025-12-31T00:00:00Z", "propertyManager": "Ann", "propertyManagerContact": "ann@example.com"
    })
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

fn an_id_in_the_body_of_a_post_is_ignored() {
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
    who.get(&property_path(NOWHERE)).problem(404);
    who.put(&property_path(NOWHERE), &whole()).problem(404);
    who.delete(&property_path(NOWHERE)).problem(404);
}

fn not_found_comes_before_validation() {
    world().tenant().put(&property_path(NOWHERE), &json!({ "address": "" })).problem(404);
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

fn several_faults_are_all_named() {
    let body = json!({ "suburb": "x".repeat(101), "postCode": "x".repeat(11) });
    let answer = world().tenant().post("/api/properties", &body);
    for member in ["address", "suburb", "postCode"] {
        answer.names(member);
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
