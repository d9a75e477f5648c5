//! Payments and payment methods: every status code of their rows, and how a method is found.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{NOWHERE, Tenant, payment_path, payments_path, property_path, trials, world};

trials![
    a_created_payment_is_answered_whole,
    a_created_payment_says_where_it_is,
    a_created_payment_can_be_read,
    ids_of_payments_are_made_by_the_server,
    the_path_decides_the_property,
    a_payment_of_a_property_that_is_not_there_is_404,
    not_found_comes_before_validation,
    amount_and_date_are_required,
    lengths_and_types_are_held,
    money_keeps_its_exact_value,
    put_answers_204_without_a_body,
    put_replaces_all_writable_members,
    put_counts_the_version_up,
    put_keeps_the_property_and_the_times_of_creation,
    a_deleted_payment_is_gone,
    what_is_not_there_is_404_for_every_method,
    a_payment_is_not_found_under_another_property_of_its_owner,
    payments_of_another_landlord_are_not_there,
];

fn whole(who: &Tenant) -> Value {
    json!({
        "amount": 650.5, "paymentDate": "2025-03-01T00:00:00Z", "paymentMethodId": who.method("Bank Transfer"),
        "paymentReference": "INV-1", "notes": "March"
    })
}

/// The body of a payment without a method.
pub fn basic() -> Value {
    json!({ "amount": 100, "paymentDate": "2025-03-01" })
}

/// `body` with this member.
pub fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

fn a_created_payment_is_answered_whole() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let answer = who.post(&payments_path(&property), &whole(&who)).is(201);
    let mut body = answer.json();
    let members = body.as_object_mut().expect("an object");
    for server_made in ["id", "createdAt", "updatedAt", "paymentMethod"] {
        assert!(members.remove(server_made).is_some(), "no {server_made}: {answer}");
    }
    let expected = with(with(whole(&who), "rentalPropertyId", json!(property)), "rowVersion", json!(1));
    assert_eq!(body, expected);
}

fn a_created_payment_says_where_it_is() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let created = who.post(&payments_path(&property), &whole(&who)).is(201);
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(created.needs("location"), payment_path(&property, &id));
    assert_eq!(who.get(&payment_path(&property, &id)).etag(), created.etag());
}

fn a_created_payment_can_be_read() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let created = who.post(&payments_path(&property), &whole(&who)).is(201);
    assert_eq!(who.get(&created.needs("location")).is(200).json(), created.json());
    assert_eq!(who.get(&payments_path(&property)).is(200).json()["items"][0], created.json());
}

fn ids_of_payments_are_made_by_the_server() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let id = who.payment(&property, &with(whole(&who), "id", json!(NOWHERE)));
    assert_ne!(id, NOWHERE);
    assert_eq!(Uuid::parse_str(&id).expect("a UUID").get_version_num(), 7);
}

fn the_path_decides_the_property() {
    let who = world().tenant();
    let (one, two) = (who.property_at("1 First St"), who.property_at("2 Second St"));
    for sent in [json!(two), json!(5), json!("x"), json!(null)] {
        let body = with(whole(&who), "rentalPropertyId", sent);
        let created = who.post(&payments_path(&one), &body).is(201);
        assert_eq!(created.json()["rentalPropertyId"], one);
        who.put(&created.needs("location"), &body).is(204);
        assert_eq!(who.get(&created.needs("location")).is(200).json()["rentalPropertyId"], one);
    }
    assert_eq!(who.get(&payments_path(&two)).is(200).json()["totalCount"], 0);
}

fn a_payment_of_a_property_that_is_not_there_is_404() {
    let who = world().tenant();
    who.post(&payments_path(NOWHERE), &whole(&who)).problem(404);
    who.get(&payments_path(NOWHERE)).problem(404);
}

fn not_found_comes_before_validation() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    who.post(&payments_path(NOWHERE), &json!({ "amount": null })).problem(404);
    who.put(&payment_path(&property, NOWHERE), &json!({ "amount": null })).problem(404);
    who.put(&payment_path(NOWHERE, NOWHERE), &json!({ "amount": null })).problem(404);
}

fn amount_and_date_are_required() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let path = payment_path(&property, &who.payment_of(&property, 1));
    for member in ["amount", "paymentDate"] {
        let mut without = who.cash(1);
        without.as_object_mut().expect("an object").remove(member);
        for body in [without.clone(), with(without, member, json!(null))] {
            who.post(&payments_path(&property), &body).names(member);
            who.put(&path, &body).names(member);
        }
    }
}

fn lengths_and_types_are_held() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let payments = payments_path(&property);
    let fits = with(who.cash(1), "paymentReference", json!("\u{1f3e0}".repeat(100)));
    who.post(&payments, &with(fits, "notes", json!("\u{1f3e0}".repeat(500)))).is(201);
    for (member, wrong) in [
        ("paymentReference", json!("x".repeat(101))),
        ("paymentReference", json!(5)),
        ("notes", json!("x".repeat(501))),
        ("notes", json!(["x"])),
        ("amount", json!("100")),
        ("amount", json!(0.125)),
        ("amount", json!(true)),
        ("paymentDate", json!("soon")),
        ("paymentDate", json!(20250301)),
    ] {
        who.post(&payments, &with(who.cash(1), member, wrong)).names(member);
    }
}

fn money_keeps_its_exact_value() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let method = who.method("Cash");
    for (sent, expected) in [
        ("9999999999999999.99", "9999999999999999.99"),
        ("1.100", "1.1"),
        ("1e2", "100"),
        ("-0.10", "-0.1"),
        ("0", "0"),
    ] {
        let body = format!(r#"{{"amount":{sent},"paymentDate":"2025-03-01","paymentMethodId":"{method}"}}"#);
        let created = who.request("POST", &payments_path(&property)).raw_json(body).send().is(201);
        assert_eq!(created.spelling("amount").as_deref(), Some(expected), "{created}");
        let read = who.get(&created.needs("location"));
        assert_eq!(read.spelling("amount").as_deref(), Some(expected), "{read}");
    }
}

fn put_answers_204_without_a_body() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let path = payment_path(&property, &who.payment_of(&property, 100));
    let answer = who.put(&path, &who.cash(200)).is(204);
    assert!(answer.body.is_empty());
    assert_eq!(who.get(&path).is(200).json()["amount"], 200);
}

fn put_replaces_all_writable_members() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let path = payment_path(&property, &who.payment(&property, &whole(&who)));
    who.put(&path, &who.cash(7)).is(204);
    let payment = who.get(&path).is(200).json();
    assert!(payment.get("notes").is_none() && payment.get("paymentReference").is_none(), "{payment}");
    assert_eq!(payment["paymentMethod"]["name"], "Cash");
}

fn put_counts_the_version_up() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let path = payment_path(&property, &who.payment_of(&property, 100));
    let before = who.get(&path).is(200);
    who.put(&path, &who.cash(200)).is(204);
    let after = who.get(&path).is(200);
    assert_eq!((&before.json()["rowVersion"], &after.json()["rowVersion"]), (&json!(1), &json!(2)));
    assert_ne!(before.etag(), after.etag());
}

fn put_keeps_the_property_and_the_times_of_creation() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let path = payment_path(&property, &who.payment_of(&property, 100));
    let before = who.get(&path).is(200).json();
    who.put(&path, &with(who.cash(200), "createdAt", json!("1999-01-01T00:00:00Z"))).is(204);
    let after = who.get(&path).is(200).json();
    for member in ["id", "rentalPropertyId", "createdAt"] {
        assert_eq!(before[member], after[member], "{member}");
    }
    assert_ne!(before["updatedAt"], after["updatedAt"]);
}

fn a_deleted_payment_is_gone() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let (path, kept) = (
        payment_path(&property, &who.payment_of(&property, 100)),
        payment_path(&property, &who.payment_of(&property, 2)),
    );
    who.get(&path).is(200);
    who.delete(&path).is(204);
    who.get(&path).problem(404);
    who.delete(&path).problem(404);
    who.get(&kept).is(200);
    who.get(&property_path(&property)).is(200);
}

fn what_is_not_there_is_404_for_every_method() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    for path in [payment_path(&property, NOWHERE), payment_path(NOWHERE, NOWHERE)] {
        who.get(&path).problem(404);
        who.put(&path, &who.cash(1)).problem(404);
        who.delete(&path).problem(404);
    }
}

fn a_payment_is_not_found_under_another_property_of_its_owner() {
    let who = world().tenant();
    let (one, two) = (who.property_at("1 First St"), who.property_at("2 Second St"));
    let payment = who.payment_of(&one, 100);
    let (right, wrong) = (payment_path(&one, &payment), payment_path(&two, &payment));
    who.get(&wrong).problem(404);
    // Now from the cache, where its key does not name the property.
    who.get(&right).is(200);
    who.get(&right).is(200);
    who.get(&wrong).problem(404);
    who.request("GET", &wrong).header("If-None-Match", who.get(&right).etag()).send().is(404);
    who.put(&wrong, &who.cash(1)).problem(404);
    who.delete(&wrong).problem(404);
    who.get(&payment_path(NOWHERE, &payment)).problem(404);
    // And the refusals have not spoilt what is there.
    assert_eq!(who.get(&right).is(200).json()["amount"], 100);
}

fn payments_of_another_landlord_are_not_there() {
    let (owner, other) = (world().tenant(), world().tenant());
    let property = owner.property_at("1 Main St");
    let path = payment_path(&property, &owner.payment_of(&property, 100));
    owner.get(&path).is(200);
    other.get(&path).problem(404);
    other.get(&payments_path(&property)).problem(404);
    other.post(&payments_path(&property), &other.cash(1)).problem(404);
    other.put(&path, &other.cash(1)).problem(404);
    other.delete(&path).problem(404);
    assert_eq!(owner.get(&path).is(200).json()["amount"], 100);
}
