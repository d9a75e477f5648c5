//! The real client, in its own words: what it sends today must work without a change.

use serde_json::{Value, json};

use crate::support::{trials, world};

trials![
    a_property_is_created_as_the_client_does_it,
    a_property_is_edited_as_the_client_does_it,
    a_payment_is_recorded_as_the_client_does_it,
    a_payment_is_edited_with_the_old_method_beside_the_new_id,
    an_older_client_names_its_method,
    the_client_lists_and_searches,
    the_client_lists_methods_with_a_slash,
    what_was_read_can_be_sent_back,
];

/// The client's whole view model of a property: .NET names, its defaults, its collections.
fn property_model(id: &str) -> Value {
    json!({
        "Id": id,
        "Address": "7 Banksia Ave",
        "Suburb": "Marrickville",
        "State": "NSW",
        "PostCode": "2204",
        "Description": null,
        "WeeklyRentAmount": 720.00,
        "LeaseStartDate": "2025-02-01T00:00:00",
        "LeaseEndDate": "2026-01-31T00:00:00",
        "PropertyManager": null,
        "PropertyManagerContact": null,
        "CreatedAt": "0001-01-01T00:00:00",
        "UpdatedAt": "0001-01-01T00:00:00",
        "RentalPayments": [],
        "Attachments": []
    })
}

fn payment_model(property: &str, method: &str) -> Value {
    json!({
        "Id": "00000000-0000-0000-0000-000000000000",
        "RentalPropertyId": property,
        "Amount": 720.0,
        "PaymentDate": "2025-02-08T00:00:00+11:00",
        "PaymentMethodId": method,
        "PaymentMethod": null,
        "PaymentReference": "",
        "Notes": null,
        "CreatedAt": "0001-01-01T00:00:00",
        "UpdatedAt": "0001-01-01T00:00:00",
        "RentalProperty": null,
        "Attachments": []
    })
}

const NEW: &str = "00000000-0000-0000-0000-000000000000";

fn a_property_is_created_as_the_client_does_it() {
    let who = world().tenant();
    let created = who.post("/api/properties/", &property_model(NEW)).is(201).json();
    assert_ne!(created["id"], NEW);
    assert_eq!(created["address"], "7 Banksia Ave");
    assert_eq!(created["weeklyRentAmount"], 720);
    assert_eq!(created["leaseStartDate"], "2025-02-01T00:00:00Z");
    for never in ["rentalPayments", "RentalPayments", "attachments", "Attachments", "description"] {
        assert!(created.get(never).is_none(), "{never} in {created}");
    }
}

fn a_property_is_edited_as_the_client_does_it() {
    let who = world().tenant();
    let id =
        who.post("/api/properties/", &property_model(NEW)).is(201).json()["id"].as_str().expect("an id").to_owned();
    let mut model = property_model(&id);
    model["Suburb"] = "Dulwich Hill".into();
    model["RentalPayments"] = json!([{ "Id": NEW, "Amount": 1.0, "PaymentDate": "0001-01-01T00:00:00" }]);
    let changed = who.put(&format!("/api/properties/{id}"), &model).is(200).json();
    assert_eq!((&changed["suburb"], &changed["id"]), (&json!("Dulwich Hill"), &json!(id)));
}

fn a_payment_is_recorded_as_the_client_does_it() {
    let who = world().tenant();
    let property = who.property(&property_model(NEW));
    let model = payment_model(&property, &who.method("Bank Transfer"));
    let created = who.post(&format!("/api/properties/{property}/payments/"), &model).is(201).json();
    assert_eq!(created["paymentDate"], "2025-02-07T13:00:00Z");
    assert_eq!(created["paymentMethod"]["name"], "Bank Transfer");
    assert_eq!(created["rentalPropertyId"], property);
    assert_ne!(created["id"], NEW);
}

fn a_payment_is_edited_with_the_old_method_beside_the_new_id() {
    let who = world().tenant();
    let property = who.property(&property_model(NEW));
    let payments = format!("/api/properties/{property}/payments");
    let created = who.post(&payments, &payment_model(&property, &who.method("Cash"))).is(201).json();
    let path = format!("{payments}/{}", created["id"].as_str().expect("an id"));
    // The form changed the id; the object is still what was read.
    let mut model = payment_model(&property, &who.method("Cheque"));
    model["Id"] = created["id"].clone();
    model["PaymentMethod"] = json!({
        "Id": created["paymentMethodId"], "Name": "Cash", "Description": null, "IsSystemDefault": true,
        "CreatedAt": "2025-01-01T00:00:00Z", "UpdatedAt": "2025-01-01T00:00:00Z"
    });
    who.put(&path, &model).is(204);
    assert_eq!(who.get(&path).is(200).json()["paymentMethod"]["name"], "Cheque");
}

fn an_older_client_names_its_method() {
    let who = world().tenant();
    let property = who.property(&property_model(NEW));
    let body = json!({ "Amount": 5.0, "PaymentDate": "2025-02-08T00:00:00", "PaymentMethod": "Credit Card" });
    let created = who.post(&format!("/api/properties/{property}/payments"), &body).is(201).json();
    assert_eq!(created["paymentMethodId"], who.method("Credit Card"));
}

fn the_client_lists_and_searches() {
    let who = world().tenant();
    who.property(&property_model(NEW));
    let query = "pageNumber=1&pageSize=10&searchTerm=banksia+ave&sortField=Address&sortDescending=False";
    let page = who.get(&format!("/api/properties?{query}")).is(200).json();
    assert_eq!(page["totalCount"], 1);
    let nothing = "pageNumber=1&pageSize=10&searchTerm=&sortField=&sortDescending=False";
    assert_eq!(who.get(&format!("/api/properties?{nothing}")).is(200).json()["totalCount"], 1);
}

fn the_client_lists_methods_with_a_slash() {
    let methods = world().tenant().get("/api/paymentmethods/").is(200).json();
    assert_eq!(methods.as_array().map(Vec::len), Some(5));
}

fn what_was_read_can_be_sent_back() {
    let who = world().tenant();
    let property = who.property(&property_model(NEW));
    let path = format!("/api/properties/{property}");
    let read = who.get(&path).is(200).json();
    let changed = who.put(&path, &read).is(200).json();
    assert_eq!((&changed["address"], &changed["rowVersion"]), (&read["address"], &json!(2)));

    let payments = format!("{path}/payments");
    let created = who.post(&payments, &payment_model(&property, &who.method("Cash"))).is(201).json();
    let path = format!("{payments}/{}", created["id"].as_str().expect("an id"));
    who.put(&path, &created).is(204);
    let read = who.get(&path).is(200).json();
    assert_eq!((&read["paymentMethod"], &read["amount"]), (&created["paymentMethod"], &created["amount"]));
}
