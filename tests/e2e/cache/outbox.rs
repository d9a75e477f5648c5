//! The outbox and the bounds: what writers leave behind, what a large write takes with it, what is not kept.

use std::cell::RefCell;

use serde_json::{Value, json};

use crate::support::{
    Cache, Place, Private, Tenant, eventually, payment_path, payments_path, property_path, trials, world,
};

trials![
    only_an_administrator_drains,
    an_invalidation_that_a_writer_left_is_made_by_draining,
    two_drains_at_once_make_each_invalidation_once,
    each_write_leaves_the_names_of_its_keys,
    a_deleted_property_invalidates_ten_thousand_payments,
    a_list_keeps_sixty_four_pages,
    an_answer_above_256_kib_is_not_cached,
];

const DRAIN: &str = "/api/cache/drain";

fn only_an_administrator_drains() {
    let who = world().tenant();
    world().request("POST", DRAIN).send().is(401);
    who.request("POST", DRAIN).send().is(403);
    who.get(DRAIN).is(405);
    // While the cache is being let in, there is no Redis to tell yet.
    let operator = world().administrator();
    eventually("a drain", || (operator.request("POST", DRAIN).send().status == 200).then_some(()));
}

/// A writer that committed and died: the row is changed, the invalidation is in the outbox, Redis knows nothing.
fn die_after_commit(place: &Place) {
    let resources = vec![format!("property:{}", place.property), "property:list".to_owned()];
    let statement = "WITH changed AS (
            UPDATE properties SET address = 'after', row_version = 2 WHERE tenant_id = $1 AND id = $2::text::uuid
        )
        INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES ($1, gen_random_uuid(), $3)";
    place.who.world.execute(statement, &[&place.who.id, &place.property, &resources]);
}

fn an_invalidation_that_a_writer_left_is_made_by_draining() {
    // In a world where nobody else drains.
    let own = Private::start();
    let place = Place::of(own.tenant());
    let routes = [place.property_path(), "/api/properties".to_owned()];
    for route in &routes {
        place.who.await_hit(route);
    }
    die_after_commit(&place);

    let answer = own.administrator().request("POST", DRAIN).send().is(200).json();
    assert!(answer["drained"].as_i64() >= Some(1), "{answer}");
    assert!(answer["left"].is_i64() && answer["oldestSeconds"].is_i64(), "{answer}");
    assert_eq!(place.who.get(&routes[0]).is(200).json()["address"], "after");
    assert_eq!(place.who.column(&routes[1], "address"), ["after"]);
    assert_eq!(rows_of(&place.who), 0);
}

fn two_drains_at_once_make_each_invalidation_once() {
    let places: Vec<Place> = (0..5).map(|_| Place::of(world().tenant())).collect();
    for place in &places {
        place.who.get(&place.property_path()).is(200);
        die_after_commit(place);
    }
    let operator = world().administrator();
    crate::support::together(4, |_| operator.request("POST", DRAIN).send().is(200));
    for place in &places {
        assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "after");
        assert_eq!(rows_of(&place.who), 0);
    }
}

fn rows_of(who: &Tenant) -> i64 {
    let count = "SELECT count(*) FROM cache_invalidations WHERE tenant_id = $1";
    who.world.query(count, &[&who.id])[0].get(0)
}

/// The functions of the release before compose these names in SQL: without them, each write has them from its component.
fn each_write_leaves_the_names_of_its_keys() {
    let world = Private::start();
    let who = world.tenant();
    let keep_rows = "CREATE OR REPLACE FUNCTION outbox_remove(tenants text[], ids text[]) RETURNS bigint \
        LANGUAGE sql AS 'SELECT 0::bigint'";
    let mut sql = world.sql();
    sql.batch_execute(keep_rows).expect("a function");
    let dropped = "SELECT format('DROP FUNCTION %s', oid::regprocedure) FROM pg_proc \
        WHERE pronamespace = 'public'::regnamespace AND 'write_id' = ANY (proargnames) AND NOT 'resources' = ANY (proargnames)";
    let dropped: Vec<String> = sql.query(dropped, &[]).expect("functions").iter().map(|row| row.get(0)).collect();
    assert_eq!(dropped.len(), 7, "{dropped:?}");
    sql.batch_execute(&dropped.join("; ")).expect("the functions are gone");

    // What one write left in the outbox, in the order of names.
    let mut names_of = |write: &dyn Fn()| -> Vec<String> {
        sql.execute("DELETE FROM cache_invalidations", &[]).expect("an empty outbox");
        write();
        let names = "SELECT ARRAY(SELECT unnest(resources) ORDER BY 1) FROM cache_invalidations";
        sql.query_one(names, &[]).expect("one row").get(0)
    };
    let property = who.property_at("1 Outbox St");
    let payment = who.payment(&property, &payment_body(&who));
    let (path, payments) = (property_path(&property), payments_path(&property));
    let list = "property:list".to_owned();
    let one = format!("property:{property}");
    let of_payments = format!("property:{property}:payments:list");
    let of_payment = format!("payment:{payment}");
    let body = json!({ "address": "2 Outbox St" });

    let created = names_of(&|| drop(who.post("/api/properties", &body).is(201)));
    assert_eq!(created, std::slice::from_ref(&list));
    let replaced = names_of(&|| drop(who.put(&path, &body).is(200)));
    assert_eq!(replaced, [one.clone(), list.clone()]);
    let replaced = names_of(&|| drop(who.put(&payment_path(&property, &payment), &payment_body(&who)).is(204)));
    assert_eq!(replaced, [of_payment.clone(), of_payments.clone()]);

    let recorded = RefCell::new(String::new());
    let record = || {
        let request = who.request("POST", &payments).header("Idempotency-Key", "one").json(&payment_body(&who));
        let answer = request.send().is(201).json();
        *recorded.borrow_mut() = answer["id"].as_str().expect("an id").to_owned();
    };
    let first = names_of(&record);
    let second_payment = recorded.borrow().clone();
    assert_eq!(first, [format!("payment:{second_payment}"), of_payments.clone()]);
    // The same again changes nothing: what it made was left by the first.
    let again = names_of(&record);
    assert_eq!((again.len(), &again[1], &*recorded.borrow()), (2, &of_payments, &second_payment));

    let deleted = names_of(&|| drop(who.delete(&payment_path(&property, &second_payment)).is(204)));
    assert_eq!(deleted, [format!("payment:{second_payment}"), of_payments.clone()]);
    let deleted = names_of(&|| drop(who.delete(&path).is(204)));
    let mut expected = [of_payment, one, of_payments, list];
    expected.sort_unstable();
    assert_eq!(deleted, expected);
    sql.execute("DELETE FROM cache_invalidations", &[]).expect("an empty outbox");
}

fn payment_body(who: &Tenant) -> Value {
    json!({ "amount": 10, "paymentDate": "2025-03-01", "paymentMethodId": who.method("Cash") })
}

fn a_deleted_property_invalidates_ten_thousand_payments() {
    let world = Private::start();
    let who = world.tenant();
    let property = who.property_at("10000 Long St");
    let method = who.method("Cash");
    let insert = "INSERT INTO payments
            (tenant_id, id, property_id, amount, payment_date, payment_method_tenant_id, payment_method_id)
        SELECT $1, gen_random_uuid(), $2::text::uuid, n, now() - n * interval '1 hour', '~system', $3::text::uuid
        FROM generate_series(1, 10000) AS n";
    world.execute(insert, &[&who.id, &property, &method]);
    let page = who.get(&format!("{}?pageSize=50", payments_path(&property))).is(200).json();
    assert_eq!(page["totalCount"], 10_000);
    let paths: Vec<String> = page["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|payment| payment["id"].as_str())
        .map(|payment| format!("{}/{payment}", payments_path(&property)))
        .collect();
    assert_eq!(paths.len(), 50);
    for path in &paths {
        who.get(path).is(200);
        assert_eq!(who.get(path).is(200).cache(), Cache::Hit);
    }

    who.delete(&property_path(&property)).is(204);
    for path in &paths {
        who.get(path).is(404);
    }
    who.get(&payments_path(&property)).is(404);
    who.get(&property_path(&property)).is(404);
}

fn a_list_keeps_sixty_four_pages() {
    let who = world().tenant();
    for number in 0..3 {
        who.property_at(&format!("{number} Short St"));
    }
    // Past the end, pages are empty, and still pages of their own.
    for number in 1..=70 {
        let page = who.get(&format!("/api/properties?pageNumber={number}&pageSize=1")).is(200).json();
        assert_eq!(page["pageNumber"], number);
        assert_eq!(page["items"].as_array().map(Vec::len), Some(usize::from(number <= 3)));
    }
    let key = world().key(&who, "property:list");
    let pages: u64 = world().redis_command(&["HLEN", &key]);
    assert_eq!(pages, 64);
    assert_eq!(who.get("/api/properties?pageNumber=64&pageSize=1").is(200).cache(), Cache::Hit);
    assert_ne!(who.get("/api/properties?pageNumber=70&pageSize=1").is(200).cache(), Cache::Hit);
}

fn an_answer_above_256_kib_is_not_cached() {
    let who = world().tenant();
    // A control character takes six bytes in JSON: 50 of these properties are some 300 KB.
    let long = |characters: usize| Value::from("\u{1}".repeat(characters));
    let body = json!({
        "address": format!("1 {}", "\u{1}".repeat(190)),
        "suburb": long(100),
        "description": long(500),
        "propertyManager": long(100),
        "propertyManagerContact": long(100),
    });
    for _ in 0..50 {
        who.property(&body);
    }
    let route = "/api/properties?pageSize=50";
    for _ in 0..2 {
        let answer = who.get(route).is(200);
        assert!(answer.body.len() > 256 * 1024, "{} bytes", answer.body.len());
        assert_eq!(answer.cache(), Cache::Unstored);
    }
    assert_eq!(who.get("/api/properties?pageSize=5").is(200).json()["totalCount"], 50);
}
