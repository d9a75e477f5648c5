//! Payment methods: which there are, and how a payment finds its own.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::payments::{basic, with};
use crate::support::{NOWHERE, Tenant, payment_path, payments_path, trials, world};

trials![
    the_systems_methods_come_in_order_of_name,
    a_method_shows_its_members,
    a_landlords_own_methods_are_listed_among_the_systems,
    another_landlords_methods_are_not_listed,
    the_method_is_embedded_in_full,
    a_method_is_found_by_id,
    a_method_is_found_by_name_when_no_id_is_given,
    a_landlords_own_method_is_found_by_name,
    an_unknown_name_is_refused,
    another_landlords_method_is_unknown,
    the_id_wins_over_an_object,
    the_id_wins_over_a_name,
    an_object_without_an_id_is_no_method,
    an_unknown_method_id_is_refused,
    an_all_zero_method_id_is_refused,
    a_payment_without_a_method_is_refused,
];

/// A method that only this landlord has: its id.
fn own_method(who: &Tenant, name: &str) -> String {
    let id = Uuid::new_v4().to_string();
    let statement = "INSERT INTO payment_methods (tenant_id, id, name) VALUES ($1, $2::text::uuid, $3)";
    who.world.execute(statement, &[&who.id, &id, &name]);
    id
}

fn method_of(who: &Tenant, property: &str, body: &Value) -> String {
    let created = who.post(&payments_path(property), body).is(201).json();
    created["paymentMethod"]["name"].as_str().unwrap_or_default().to_owned()
}

fn the_systems_methods_come_in_order_of_name() {
    let methods = world().tenant().get("/api/paymentmethods").is(200).json();
    let names: Vec<&Value> = methods.as_array().expect("an array").iter().map(|method| &method["name"]).collect();
    assert_eq!(names, ["Bank Transfer", "Cash", "Cheque", "Credit Card", "Direct Debit"]);
}

fn a_method_shows_its_members() {
    let methods = world().tenant().get("/api/paymentmethods").is(200).json();
    for method in methods.as_array().expect("an array") {
        assert_eq!(method["isSystemDefault"], true, "{method}");
        assert!(method["id"].as_str().is_some_and(|id| Uuid::parse_str(id).is_ok()), "{method}");
        for (member, value) in method.as_object().into_iter().flatten() {
            let known = ["id", "name", "description", "isSystemDefault", "createdAt", "updatedAt"];
            assert!(known.contains(&member.as_str()) && !value.is_null(), "{member} of {method}");
        }
    }
}

fn a_landlords_own_methods_are_listed_among_the_systems() {
    let who = world().tenant();
    let id = own_method(&who, "Cattle");
    let methods = who.get("/api/paymentmethods").is(200).json();
    let names: Vec<&Value> = methods.as_array().expect("an array").iter().map(|method| &method["name"]).collect();
    assert_eq!(names, ["Bank Transfer", "Cash", "Cattle", "Cheque", "Credit Card", "Direct Debit"]);
    assert_eq!(methods[2]["id"], id);
    assert_eq!(methods[2]["isSystemDefault"], false);
}

fn another_landlords_methods_are_not_listed() {
    let (owner, other) = (world().tenant(), world().tenant());
    own_method(&owner, "Gold");
    assert!(!other.get("/api/paymentmethods").is(200).text().contains("Gold"));
}

fn the_method_is_embedded_in_full() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let id = who.payment(&property, &with(basic(), "paymentMethodId", json!(who.method("Bank Transfer"))));
    let methods = who.get("/api/paymentmethods").is(200).json();
    let listed = methods.as_array().into_iter().flatten().find(|method| method["name"] == "Bank Transfer");
    let payment = who.get(&payment_path(&property, &id)).is(200).json();
    assert_eq!(Some(&payment["paymentMethod"]), listed);
    assert_eq!(payment["paymentMethodId"], payment["paymentMethod"]["id"]);
    assert_eq!(
        who.get(&payments_path(&property)).is(200).json()["items"][0]["paymentMethod"],
        payment["paymentMethod"]
    );
}

fn a_method_is_found_by_id() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    for name in ["Cash", "Cheque", "Credit Card"] {
        assert_eq!(method_of(&who, &property, &with(basic(), "paymentMethodId", json!(who.method(name)))), name);
    }
    let upper = who.method("Cash").to_uppercase();
    assert_eq!(method_of(&who, &property, &with(basic(), "paymentMethodId", json!(upper))), "Cash");
}

fn a_method_is_found_by_name_when_no_id_is_given() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let by_name = with(basic(), "paymentMethod", json!("Direct Debit"));
    assert_eq!(method_of(&who, &property, &by_name), "Direct Debit");
    assert_eq!(method_of(&who, &property, &with(by_name, "paymentMethodId", json!(null))), "Direct Debit");
    let created = who.post(&payments_path(&property), &with(basic(), "paymentMethod", json!("Cheque"))).is(201);
    who.put(&created.needs("location"), &with(basic(), "paymentMethod", json!("Cash"))).is(204);
    assert_eq!(who.get(&created.needs("location")).json()["paymentMethodId"], who.method("Cash"));
}

fn a_landlords_own_method_is_found_by_name() {
    let who = world().tenant();
    own_method(&who, "Barter");
    let property = who.property_at("1 Main St");
    assert_eq!(method_of(&who, &property, &with(basic(), "paymentMethod", json!("Barter"))), "Barter");
}

fn an_unknown_name_is_refused() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    for name in ["Bitcoin", "", "Cas", "%"] {
        who.post(&payments_path(&property), &with(basic(), "paymentMethod", json!(name))).problem(400);
    }
}

fn another_landlords_method_is_unknown() {
    let (owner, other) = (world().tenant(), world().tenant());
    let id = own_method(&owner, "Gold");
    let property = other.property_at("1 Main St");
    other.post(&payments_path(&property), &with(basic(), "paymentMethodId", json!(id))).problem(400);
    other.post(&payments_path(&property), &with(basic(), "paymentMethod", json!("Gold"))).problem(400);
}

fn the_id_wins_over_an_object() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let old = json!({ "id": who.method("Cash"), "name": "Cash", "isSystemDefault": true });
    let body = with(with(basic(), "paymentMethod", old), "paymentMethodId", json!(who.method("Cheque")));
    assert_eq!(method_of(&who, &property, &body), "Cheque");
}

fn the_id_wins_over_a_name() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let body = with(with(basic(), "paymentMethod", json!("Cash")), "paymentMethodId", json!(who.method("Cheque")));
    assert_eq!(method_of(&who, &property, &body), "Cheque");
}

fn an_object_without_an_id_is_no_method() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let object = json!({ "id": who.method("Cash"), "name": "Cash" });
    who.post(&payments_path(&property), &with(basic(), "paymentMethod", object)).names("paymentMethodId");
}

fn an_unknown_method_id_is_refused() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let path = payment_path(&property, &who.payment_of(&property, 1));
    for wrong in [json!(NOWHERE), json!("x"), json!(""), json!(5), json!(true), json!({})] {
        let body = with(basic(), "paymentMethodId", wrong);
        who.post(&payments_path(&property), &body).names("paymentMethodId");
        who.put(&path, &body).names("paymentMethodId");
    }
}

fn an_all_zero_method_id_is_refused() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let body = with(basic(), "paymentMethodId", json!(Uuid::nil().to_string()));
    who.post(&payments_path(&property), &body).names("paymentMethodId");
}

fn a_payment_without_a_method_is_refused() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let path = payment_path(&property, &who.payment_of(&property, 1));
    for body in [basic(), with(basic(), "paymentMethodId", json!(null)), with(basic(), "paymentMethod", json!(null))] {
        who.post(&payments_path(&property), &body).names("paymentMethodId");
        who.put(&path, &body).names("paymentMethodId");
    }
}
