//! What a write clears away, and what it leaves: each cached answer read before, and after.

use serde_json::json;

use crate::support::{Answer, Cache, Tenant, eventually, payment_path, payments_path, property_path, trials, world};

trials![
    a_new_property_clears_the_property_lists,
    a_changed_property_clears_itself_and_the_lists,
    a_deleted_property_clears_all_that_was_its_own,
    a_new_payment_clears_its_propertys_payment_lists,
    a_changed_payment_clears_itself_and_its_lists,
    a_deleted_payment_clears_itself_and_its_lists,
    a_deleted_property_clears_payments_whose_list_was_never_read,
    another_landlords_writes_clear_nothing,
    what_was_remembered_as_absent_is_found_once_it_is_made,
    a_refused_write_leaves_right_answers,
    searches_follow_every_write,
];

/// Two properties with payments, and everything about them cached.
struct Place {
    who: Tenant,
    first: String,
    second: String,
    /// Of the first property.
    payments: [String; 2],
    /// Each cached answer, by a name.
    before: Vec<(&'static str, String, Answer)>,
}

impl Place {
    fn warm() -> Place {
        let who = world().tenant();
        let (first, second) = (who.property_at("1 First St"), who.property_at("2 Second St"));
        let payments = [who.payment_of(&first, 100), who.payment_of(&first, 200)];
        let other = who.payment_of(&second, 300);
        let routes = [
            ("list", "/api/properties".to_owned()),
            ("list, page 2", "/api/properties?pageSize=1&pageNumber=2".into()),
            ("list, sorted", "/api/properties?sortField=suburb".into()),
            ("first", property_path(&first)),
            ("second", property_path(&second)),
            ("first's payments", payments_path(&first)),
            ("first's payments, sorted", format!("{}?sortField=amount", payments_path(&first))),
            ("second's payments", payments_path(&second)),
            ("payment 0", payment_path(&first, &payments[0])),
            ("payment 1", payment_path(&first, &payments[1])),
            ("second's payment", payment_path(&second, &other)),
        ];
        let warm = |(name, route): (&'static str, String)| {
            who.get(&route).is(200);
            let answer = who.get(&route).is(200);
            assert_eq!(answer.cache(), Cache::Hit, "{name}");
            (name, route, answer)
        };
        let before = routes.into_iter().map(warm).collect();
        Place { who, first, second, payments, before }
    }

    /// After a write: what it touched is read anew, shows something else and is cached again; all else is still a hit.
    fn check(&self, touched: &[&str]) {
        for (name, route, before) in &self.before {
            let now = self.who.get(route);
            if touched.contains(name) {
                assert_ne!(now.cache(), Cache::Hit, "{name} was touched: {now}");
                assert_ne!(now.text(), before.text(), "{name} shows the old data");
                assert_eq!(self.who.get(route).cache(), Cache::Hit, "{name} is cached again");
            } else {
                assert_eq!((now.cache(), now.text()), (Cache::Hit, before.text()), "{name} was not touched");
            }
        }
    }
}

const LISTS: [&str; 3] = ["list", "list, page 2", "list, sorted"];
const PAYMENT_LISTS: [&str; 2] = ["first's payments", "first's payments, sorted"];

fn a_new_property_clears_the_property_lists() {
    let place = Place::warm();
    place.who.property_at("0 New St");
    place.check(&LISTS);
    assert_eq!(place.who.get("/api/properties").json()["items"][0]["address"], "0 New St");
}

fn a_changed_property_clears_itself_and_the_lists() {
    let place = Place::warm();
    place.who.put(&property_path(&place.first), &json!({ "address": "9 Moved St" })).is(200);
    let read = |route: &str| place.who.get(route).is(200).json();
    // On every page: the list as it is now begins with the other property.
    place.check(&[LISTS.as_slice(), &["first"]].concat());
    assert_eq!(read(&property_path(&place.first))["address"], "9 Moved St");
    assert_eq!(read("/api/properties")["items"][1]["address"], "9 Moved St");
    assert_eq!(read("/api/properties?pageSize=1&pageNumber=2")["items"][0]["address"], "9 Moved St");
}

fn a_deleted_property_clears_all_that_was_its_own() {
    let place = Place::warm();
    place.who.delete(&property_path(&place.first)).is(204);
    for route in [
        property_path(&place.first),
        payments_path(&place.first),
        format!("{}?sortField=amount", payments_path(&place.first)),
        payment_path(&place.first, &place.payments[0]),
        payment_path(&place.first, &place.payments[1]),
    ] {
        place.who.get(&route).problem(404);
    }
    let untouched = ["second", "second's payments", "second's payment"];
    for (name, route, before) in &place.before {
        let now = place.who.get(route);
        if untouched.contains(name) {
            assert_eq!((now.cache(), now.text()), (Cache::Hit, before.text()), "{name}");
        } else {
            assert_ne!(now.text(), before.text(), "{name}");
        }
    }
    assert_eq!(place.who.get("/api/properties").json()["totalCount"], 1);
}

fn a_new_payment_clears_its_propertys_payment_lists() {
    let place = Place::warm();
    place.who.payment_of(&place.first, 50);
    place.check(&PAYMENT_LISTS);
    assert_eq!(place.who.get(&payments_path(&place.first)).json()["totalCount"], 3);
}

fn a_changed_payment_clears_itself_and_its_lists() {
    let place = Place::warm();
    let path = payment_path(&place.first, &place.payments[0]);
    place.who.put(&path, &place.who.cash(999)).is(204);
    place.check(&[PAYMENT_LISTS.as_slice(), &["payment 0"]].concat());
    assert_eq!(place.who.get(&path).json()["amount"], 999);
    let sorted = place.who.get(&format!("{}?sortField=amount", payments_path(&place.first))).json();
    assert_eq!(sorted["items"][1]["amount"], 999);
}

fn a_deleted_payment_clears_itself_and_its_lists() {
    let place = Place::warm();
    let path = payment_path(&place.first, &place.payments[0]);
    place.who.delete(&path).is(204);
    place.who.get(&path).problem(404);
    // The first look after the deletion was the one above.
    let others: Vec<&str> = PAYMENT_LISTS.to_vec();
    for (name, route, before) in &place.before {
        let now = place.who.get(route);
        if others.contains(name) {
            assert_ne!((now.cache(), now.text()), (Cache::Hit, before.text()), "{name}");
        } else if *name != "payment 0" {
            assert_eq!((now.cache(), now.text()), (Cache::Hit, before.text()), "{name}");
        }
    }
    assert_eq!(place.who.get(&payments_path(&place.first)).json()["totalCount"], 1);
}

fn a_deleted_property_clears_payments_whose_list_was_never_read() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let payments: Vec<String> = (1..=5).map(|amount| who.payment_of(&property, amount)).collect();
    let paths: Vec<String> = payments.iter().map(|payment| payment_path(&property, payment)).collect();
    for path in &paths {
        who.get(path).is(200);
        assert_eq!(who.get(path).is(200).cache(), Cache::Hit);
    }
    who.delete(&property_path(&property)).is(204);
    for path in &paths {
        who.get(path).problem(404);
    }
}

fn another_landlords_writes_clear_nothing() {
    let place = Place::warm();
    let other = world().tenant();
    let property = other.property_at("1 First St");
    let payment = other.payment_of(&property, 100);
    other.put(&property_path(&property), &json!({ "address": "2 First St" })).is(200);
    other.put(&property_path(&place.first), &json!({ "address": "stolen" })).is(404);
    other.delete(&property_path(&place.second)).is(404);
    other.delete(&payment_path(&place.first, &place.payments[0])).is(404);
    other.delete(&payment_path(&property, &payment)).is(204);
    other.delete(&property_path(&property)).is(204);
    place.check(&[]);
}

fn what_was_remembered_as_absent_is_found_once_it_is_made() {
    let who = world().tenant();
    // Its id is known, it is gone, and its absence is remembered.
    let property = who.property_at("1 Main St");
    let path = property_path(&property);
    who.delete(&path).is(204);
    eventually("its absence is remembered", || (who.get(&path).is(404).cache() == Cache::Hit).then_some(()));
    let statement = "INSERT INTO properties (tenant_id, id, address) VALUES ($1, $2::text::uuid, 'back again')";
    world().execute(statement, &[&who.id, &property]);
    // A write on it must clear the memory of its absence.
    who.put(&path, &json!({ "address": "2 Main St" })).is(200);
    assert_eq!(who.get(&path).is(200).json()["address"], "2 Main St");
}

fn a_refused_write_leaves_right_answers() {
    let place = Place::warm();
    let (property, payment) = (property_path(&place.first), payment_path(&place.first, &place.payments[0]));
    place.who.put(&property, &json!({ "address": "" })).is(400);
    place.who.put(&property, &json!({ "address": "x", "rowVersion": 9 })).is(409);
    place.who.request("DELETE", &payment).header("If-Match", r#""x""#).send().is(412);
    place.who.post("/api/properties", &json!({})).is(400);
    for (name, route, before) in &place.before {
        assert_eq!(place.who.get(route).is(200).text(), before.text(), "{name}");
    }
}

fn searches_follow_every_write() {
    let who = world().tenant();
    let found = |term: &str| who.column(&format!("/api/properties?searchTerm={term}"), "address");
    let property = who.property_at("1 Oak St");
    assert_eq!([found("oak"), found("elm")], [vec!["1 Oak St".to_owned()], vec![]]);
    who.property_at("2 Oak St");
    assert_eq!(found("oak"), ["1 Oak St", "2 Oak St"]);
    who.put(&property_path(&property), &json!({ "address": "1 Elm St" })).is(200);
    assert_eq!([found("oak"), found("elm")], [["2 Oak St"], ["1 Elm St"]]);
    let payments = |term: &str| who.ids(&format!("{}?searchTerm={term}", payments_path(&property)));
    let payment = who.payment(&property, &json!({ "amount": 1, "paymentDate": "2025-01-01", "paymentMethod": "Cash" }));
    assert_eq!([payments("cash"), payments("cheque")], [vec![payment.clone()], vec![]]);
    let changed = json!({ "amount": 1, "paymentDate": "2025-01-01", "paymentMethod": "Cheque" });
    who.put(&payment_path(&property, &payment), &changed).is(204);
    assert_eq!([payments("cash"), payments("cheque")], [vec![], vec![payment.clone()]]);
    who.delete(&payment_path(&property, &payment)).is(204);
    assert_eq!(payments("cheque"), Vec::<String>::new());
    who.delete(&property_path(&property)).is(204);
    assert_eq!(found("elm"), Vec::<String>::new());
}
