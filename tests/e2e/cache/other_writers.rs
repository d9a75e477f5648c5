//! Writes that pass the API by, as RentTracker's own backend makes them: seen once the outbox is drained, where the operator has
//! asked for it.

use postgres::Client;

use crate::support::{Cache, Place, Private, Tenant, eventually, trials};

trials![
    another_writers_changes_are_read_after_the_next_drain,
    another_writers_changes_are_drained_by_a_later_write_too,
    each_change_of_another_writer_names_what_it_is_in,
    a_copy_from_before_another_writers_change_is_not_current,
    a_write_of_ours_still_leaves_one_row,
    nobody_is_watched_until_an_operator_asks,
];

/// A database that another program writes to as its owner, and a landlord there.
fn watched() -> (Private, Client) {
    let own = Private::start();
    let mut other = own.sql();
    other.batch_execute("SELECT watch_other_writers()").expect("the owner switches it on");
    (own, other)
}

fn cached(place: &Place) {
    for route in place.routes() {
        place.who.await_hit(&route);
    }
}

fn drain(own: &Private) {
    own.administrator().request("POST", "/api/cache/drain").send().is(200);
}

fn address(place: &Place) -> String {
    place.who.get(&place.property_path()).is(200).json()["address"].as_str().expect("an address").to_owned()
}

fn another_writers_changes_are_read_after_the_next_drain() {
    let (own, mut other) = watched();
    let place = Place::of(own.tenant());
    cached(&place);
    let changed = other.execute("UPDATE properties SET address = 'after' WHERE tenant_id = $1", &[&place.who.id]);
    assert_eq!(changed.expect("a change"), 1);
    // Until then the cache has what was there before: that is the bound.
    assert_eq!(address(&place), "1 Main St");
    drain(&own);
    assert_eq!(address(&place), "after");
    assert_eq!(place.who.column("/api/properties", "address"), ["after"]);

    cached(&place);
    other.execute("UPDATE payments SET amount = 7 WHERE tenant_id = $1", &[&place.who.id]).expect("a change");
    drain(&own);
    assert_eq!(place.who.get(&place.payment_path()).is(200).json()["amount"], 7);
    assert_eq!(place.who.get(&place.payments_path()).is(200).json()["items"][0]["amount"], 7);

    cached(&place);
    other
        .execute("DELETE FROM properties WHERE tenant_id = $1", &[&place.who.id])
        .expect("a removal, with its payments");
    drain(&own);
    for gone in [place.property_path(), place.payments_path(), place.payment_path()] {
        place.who.get(&gone).is(404);
    }
}

fn another_writers_changes_are_drained_by_a_later_write_too() {
    let (own, mut other) = watched();
    let place = Place::of(own.tenant());
    cached(&place);
    let aged = "WITH changed AS (UPDATE properties SET address = 'after' WHERE tenant_id = $1 RETURNING 1) SELECT count(*) FROM changed";
    other.query(aged, &[&place.who.id]).expect("a change");
    // As if it lay there for as long as a row is left to its own writer.
    let age = "UPDATE cache_invalidations SET created_at = created_at - interval '16 s' WHERE tenant_id = $1";
    assert_eq!(other.execute(age, &[&place.who.id]).expect("a row"), 1);
    own.tenant().property_at("of another landlord");
    eventually("the change is read", || (address(&place) == "after").then_some(()));
}

/// What is in the outbox, in the order of names; it is empty then.
fn names(other: &mut Client) -> Vec<String> {
    let taken = "WITH gone AS (DELETE FROM cache_invalidations RETURNING tenant_id, resources) \
        SELECT DISTINCT tenant_id || ' ' || name FROM gone, unnest(resources) AS name ORDER BY 1";
    other.query(taken, &[]).expect("names").iter().map(|row| row.get(0)).collect()
}

fn each_change_of_another_writer_names_what_it_is_in() {
    let (own, mut other) = watched();
    let place = Place::of(own.tenant());
    let (who, property, payment) = (&place.who.id, &place.property, &place.payment);
    eventually("our own writes are settled", || (rows(&mut other) == 0).then_some(()));
    let of_property = |tenant: &str, id: &str| {
        vec![
            format!("{tenant} property:{id}"),
            format!("{tenant} property:{id}:payments:list"),
            format!("{tenant} property:list"),
        ]
    };
    let of_payment = |property: &str, id: &str| {
        vec![format!("{who} payment:{id}"), format!("{who} property:{property}:payments:list")]
    };
    let mut after = |statement: &str| {
        other.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        names(&mut other)
    };
    let second = "0192f0c1-2345-7abc-8def-0123456789ab";
    let inserted = format!("INSERT INTO properties (tenant_id, id, address) VALUES ('{who}', '{second}', 'x')");
    assert_eq!(after(&inserted), of_property(who, second));
    assert_eq!(after(&format!("UPDATE properties SET suburb = 'y' WHERE id = '{second}'")), of_property(who, second));
    // Moved to another property, it is missing in one list and new in another.
    let moved = after(&format!("UPDATE payments SET property_id = '{second}' WHERE id = '{payment}'"));
    let mut expected = [of_payment(property, payment), of_payment(second, payment)].concat();
    expected.sort();
    expected.dedup();
    assert_eq!(moved, expected);
    // Whoever removes a property removes its payments.
    let removed = after(&format!("DELETE FROM properties WHERE id = '{second}'"));
    let mut expected = [of_property(who, second), of_payment(second, payment)].concat();
    expected.sort();
    expected.dedup();
    assert_eq!(removed, expected);
    let given = after(&format!("UPDATE properties SET tenant_id = 'heir' WHERE id = '{property}'"));
    let mut expected = [of_property(who, property), of_property("heir", property)].concat();
    expected.sort();
    assert_eq!(given, expected);
    assert_eq!(after("ROLLBACK; BEGIN; UPDATE properties SET suburb = 'z'; ROLLBACK"), Vec::<String>::new());
}

fn rows(other: &mut Client) -> i64 {
    other.query_one("SELECT count(*) FROM cache_invalidations", &[]).expect("a count").get(0)
}

fn a_copy_from_before_another_writers_change_is_not_current() {
    let (own, mut other) = watched();
    let place = Place::of(own.tenant());
    let before = place.who.get(&place.property_path()).is(200).etag();
    other.execute("UPDATE properties SET address = 'after' WHERE tenant_id = $1", &[&place.who.id]).expect("a change");
    drain(&own);
    let again = place.who.request("GET", &place.property_path()).header("If-None-Match", &before).send().is(200);
    assert_ne!(again.etag(), before);
    let late = place.who.request("PUT", &place.property_path()).header("If-Match", &before);
    late.json(&serde_json::json!({ "address": "over it" })).send().is(412);
    // A writer that counts by itself is left to it.
    other.execute("UPDATE properties SET row_version = 9 WHERE tenant_id = $1", &[&place.who.id]).expect("a change");
    drain(&own);
    assert_eq!(place.who.get(&place.property_path()).is(200).json()["rowVersion"], 9);
}

/// Every row stays in the outbox.
fn keep_rows(other: &mut Client) {
    let keep = "CREATE OR REPLACE FUNCTION outbox_remove(tenants text[], ids text[]) RETURNS bigint \
        LANGUAGE sql AS 'SELECT 0::bigint'";
    other.batch_execute(keep).expect("a function");
}

fn a_write_of_ours_still_leaves_one_row() {
    let (own, mut other) = watched();
    keep_rows(&mut other);
    let place = Place::of(own.tenant());
    assert_eq!(rows(&mut other), 2, "a property and a payment");
    for (count, answer) in place.writes().iter().enumerate() {
        assert!(answer.status < 300 || answer.status == 404, "{count}: {answer}");
    }
    // Two were made; the property was replaced, and removed with its payment; what came later found nothing.
    assert_eq!(rows(&mut other), 5);
    other.execute("DELETE FROM cache_invalidations", &[]).expect("an empty outbox");
}

fn nobody_is_watched_until_an_operator_asks() {
    let own = Private::start();
    let mut other = own.sql();
    keep_rows(&mut other);
    let who: Tenant = own.tenant();
    let insert = "INSERT INTO properties (tenant_id, id, address) VALUES ($1, gen_random_uuid(), 'x')";
    let insert = |other: &mut Client| other.execute(insert, &[&who.id]).expect("a row");
    insert(&mut other);
    assert_eq!(rows(&mut other), 0);
    for _ in 0..2 {
        other.batch_execute("SELECT watch_other_writers()").expect("on");
        insert(&mut other);
    }
    assert_eq!(rows(&mut other), 2);
    other.batch_execute("SELECT ignore_other_writers()").expect("off");
    insert(&mut other);
    assert_eq!(rows(&mut other), 2);
    other.execute("DELETE FROM cache_invalidations", &[]).expect("an empty outbox");
    assert_eq!(who.get("/api/properties").is(200).cache(), Cache::Stored);
    // The components' role decides nothing of it.
    let mut ours = Client::connect(&own.login_url, postgres::NoTls).expect("a login");
    for statement in ["SELECT watch_other_writers()", "SELECT ignore_other_writers()"] {
        assert!(ours.batch_execute(statement).is_err(), "{statement}");
    }
}
