//! The ends of time as .NET has them, and what no answer can carry.
//!
//! Npgsql stores DateTime.MinValue and MaxValue as -infinity and infinity (Npgsql 6 and later, "Date and time handling",
//! unless `DisableDateTimeInfinityConversions`), and System.Text.Json writes them as below.

use postgres::error::SqlState;
use serde_json::{Value, json};

use crate::support::{Cache, Tenant, eventually, payment_path, payments_path, property_path, trials, world};

trials![
    infinite_times_are_answered_as_dotnet_reads_them,
    keyset_pages_pass_infinite_times_in_every_order_of_dates,
    what_a_client_writes_is_what_dotnet_stores,
    what_is_sent_back_as_it_was_answered_stays_as_it_was,
    a_repeated_request_is_answered_with_the_same_infinite_times,
    what_no_answer_can_carry_is_kept_out_of_every_column,
    the_functions_of_a_page_are_inlined,
];

const LEAST: &str = "0001-01-01T00:00:00Z";
const GREATEST: &str = "9999-12-31T23:59:59.999999Z";

/// A property as the backend writes it, with these times as SQL spells them.
fn stored(who: &Tenant, start: Option<&str>, end: Option<&str>) -> String {
    let statement = "INSERT INTO properties (tenant_id, id, address, lease_start_date, lease_end_date, created_at, updated_at) \
        VALUES ($1, gen_random_uuid(), '1 Main St', $2::text::timestamptz, $3::text::timestamptz, '-infinity', 'infinity') \
        RETURNING id::text";
    who.world.query(statement, &[&who.id, &start, &end])[0].get(0)
}

fn stored_payment(who: &Tenant, property: &str, date: &str) -> String {
    let statement = "INSERT INTO payments (tenant_id, id, property_id, amount, payment_date, payment_method_tenant_id, \
        payment_method_id) SELECT $1, gen_random_uuid(), $2::text::uuid, 1, $3::text::timestamptz, tenant_id, id \
        FROM payment_methods WHERE name = 'Cash' AND tenant_id = '~system' RETURNING id::text";
    who.world.query(statement, &[&who.id, &property, &date])[0].get(0)
}

fn infinite_times_are_answered_as_dotnet_reads_them() {
    let who = world().tenant();
    let property = stored(&who, Some("-infinity"), Some("infinity"));
    let payment = stored_payment(&who, &property, "infinity");
    let routes = [
        property_path(&property),
        "/api/properties".into(),
        "/api/properties?after=".into(),
        payments_path(&property),
        format!("{}?after=", payments_path(&property)),
        payment_path(&property, &payment),
    ];
    for route in &routes {
        for wanted in [Cache::Stored, Cache::Hit] {
            let answer = eventually("it is in the cache", || {
                let answer = who.get(route).is(200);
                (wanted == Cache::Stored || answer.cache() == Cache::Hit).then_some(answer)
            });
            let item = answer.json();
            let item = item["items"].as_array().map_or(item.clone(), |items| items[0].clone());
            if route.contains("payments") {
                assert_eq!(item["paymentDate"], GREATEST, "{answer}");
            } else {
                assert_eq!([&item["leaseStartDate"], &item["leaseEndDate"]], [LEAST, GREATEST], "{answer}");
                assert_eq!([&item["createdAt"], &item["updatedAt"]], [LEAST, GREATEST], "{answer}");
            }
        }
    }
    for route in [&routes[0], &routes[5]] {
        let tag = who.get(route).is(200).etag();
        who.request("GET", route).header("If-None-Match", tag).send().is(304);
    }
    // What compares entries with the table, and what fills the cache, read the same.
    let operator = world().administrator();
    let told = operator.post("/api/cache/verify", &json!({ "tenant": who.id, "sample": 100 })).is(200).json();
    assert_eq!((&told["consistent"], &told["inconsistent"]), (&json!(4), &json!(0)), "{told}");
    let other = world().tenant();
    let property = stored(&other, Some("infinity"), None);
    stored_payment(&other, &property, "-infinity");
    let told = operator.post("/api/cache/warm", &json!({ "tenants": [other.id] })).is(200).json();
    assert_eq!((&told["warmed"], &told["notStored"]), (&json!(3), &json!(0)), "{told}");
    assert_eq!(other.get(&property_path(&property)).is(200).cache(), Cache::Hit);
}

/// The ids of a whole list by keyset.
fn walked(who: &Tenant, target: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = who.get(&format!("{target}&after={cursor}")).is(200).json();
        let items = page["items"].as_array().expect("items");
        ids.extend(items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return ids,
        }
    }
}

fn keyset_pages_pass_infinite_times_in_every_order_of_dates() {
    let who = world().tenant();
    // Ties of each, by each writer: those that have their moment in another form are where the first form is.
    for _ in 0..3 {
        stored(&who, Some("-infinity"), Some("infinity"));
        stored(&who, Some("0001-01-01 00:00:00+00"), Some("9999-12-31 23:59:59.999999+00"));
        stored(&who, Some("infinity"), Some("-infinity"));
        stored(&who, None, Some("2025-01-01Z"));
        stored(&who, Some("2025-01-01Z"), None);
        who.property(&json!({ "address": "x", "leaseStartDate": "0001-01-01T00:00:00", "leaseEndDate": GREATEST }));
    }
    let property = who.property_at("2 Main St");
    for date in ["-infinity", "0001-01-01 00:00:00+00", "2025-01-01Z", "infinity", "9999-12-31 23:59:59.999999+00"] {
        for _ in 0..3 {
            stored_payment(&who, &property, date);
        }
    }
    let lists = [
        ("/api/properties".to_owned(), "leaseStartDate", 19),
        ("/api/properties".to_owned(), "leaseEndDate", 19),
        (payments_path(&property), "paymentDate", 15),
    ];
    for (path, field, count) in lists {
        for descending in [false, true] {
            let order = format!("{path}?sortField={field}&sortDescending={descending}");
            let page = who.get(&format!("{order}&pageSize=50")).is(200).json();
            let key = |item: &Value| (item[field].as_str().map(str::to_owned), item["id"].as_str().map(str::to_owned));
            let items: Vec<_> = page["items"].as_array().expect("items").iter().map(key).collect();
            assert_eq!(items.len(), count);
            // As it is answered: by the moment, what has none last, and ties by id, whoever wrote them.
            let mut sorted = items.clone();
            sorted.sort_by(|(one, id), (other, other_id)| {
                let by_moment = if descending { other.cmp(one) } else { one.cmp(other) };
                one.is_none().cmp(&other.is_none()).then(by_moment).then(id.cmp(other_id))
            });
            assert_eq!(items, sorted, "{order}");
            let ids: Vec<String> = items.into_iter().filter_map(|(_, id)| id).collect();
            for size in [1, 2, 7] {
                assert_eq!(walked(&who, &format!("{order}&pageSize={size}")), ids, "{order} by {size}");
            }
        }
    }
}

/// The times of a property as PostgreSQL writes them.
fn in_the_table(who: &Tenant, property: &str) -> (Option<String>, Option<String>) {
    let statement = "SELECT lease_start_date::text, lease_end_date::text FROM properties WHERE id = $1::text::uuid";
    let row = &who.world.query(statement, &[&property])[0];
    (row.get(0), row.get(1))
}

fn what_a_client_writes_is_what_dotnet_stores() {
    let who = world().tenant();
    for (least, greatest) in [
        ("0001-01-01T00:00:00", "9999-12-31T23:59:59.9999999"),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z"),
        ("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.9999999+00:00"),
        ("0001-01-01", "9999-12-31T23:59:59.999999Z"),
    ] {
        let body = json!({ "address": "x", "leaseStartDate": least, "leaseEndDate": greatest });
        let created = who.post("/api/properties", &body).is(201).json();
        assert_eq!([&created["leaseStartDate"], &created["leaseEndDate"]], [LEAST, GREATEST], "{least} {greatest}");
        let id = created["id"].as_str().expect("an id");
        assert_eq!(in_the_table(&who, id), (Some("-infinity".into()), Some("infinity".into())));
        let mut payment = who.cash(1);
        payment["paymentDate"] = greatest.into();
        let payment = who.post(&payments_path(id), &payment).is(201).json();
        assert_eq!(payment["paymentDate"], GREATEST);
    }
    // A file that is loaded by its text: PostgreSQL rounds the seventh digit up, into the year 10000.
    let loaded = stored(&who, None, Some("9999-12-31 23:59:59.9999999+00"));
    assert_eq!(in_the_table(&who, &loaded).1.as_deref(), Some("infinity"));
    // A moment that is not .NET's is left alone.
    let id = who.property(&json!({ "address": "x", "leaseEndDate": "9999-12-31T23:59:59Z" }));
    assert_eq!(in_the_table(&who, &id).1.as_deref(), Some("9999-12-31 23:59:59+00"));
}

fn what_is_sent_back_as_it_was_answered_stays_as_it_was() {
    let who = world().tenant();
    let id = stored(&who, Some("-infinity"), Some("infinity"));
    let mut body = who.get(&property_path(&id)).is(200).json();
    body["address"] = "2 Other St".into();
    who.put(&property_path(&id), &body).is(200);
    assert_eq!(in_the_table(&who, &id), (Some("-infinity".into()), Some("infinity".into())));
}

fn a_repeated_request_is_answered_with_the_same_infinite_times() {
    let who = world().tenant();
    let body = json!({ "address": "x", "leaseStartDate": LEAST, "leaseEndDate": GREATEST });
    let send =
        || who.request("POST", "/api/properties").header("Idempotency-Key", "k").json(&body).send().is(201).json();
    let first = send();
    assert_eq!(first["leaseEndDate"], GREATEST);
    assert_eq!(send(), first);
}

/// Every column that can hold one, so that a new one without a constraint is found.
fn what_no_answer_can_carry_is_kept_out_of_every_column() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    who.payment_of(&property, 1);
    let own = "INSERT INTO payment_methods (tenant_id, name) VALUES ($1, 'Barter')";
    world().execute(own, &[&who.id]);
    let columns = world().query(
        "SELECT c.relname::text, a.attname::text, a.atttypid::regtype::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
         WHERE c.relname IN ('properties', 'payments', 'payment_methods') AND c.relnamespace = 'public'::regnamespace \
            AND a.attnum > 0 AND NOT a.attisdropped",
        &[],
    );
    let mut tried = 0;
    for column in &columns {
        let (table, name, kind): (String, String, String) = (column.get(0), column.get(1), column.get(2));
        let values: &[&str] = match kind.as_str() {
            "numeric" => &["NaN", "Infinity", "-Infinity"],
            "timestamp with time zone" => &[
                "0001-12-31 00:00:00+00 BC",
                "4713-01-01 00:00:00+00 BC",
                "10000-01-01 00:00:00.000001+00",
                "294276-12-31",
            ],
            // UTF-8 without NUL, ids, integers and truth: JSON has all of them.
            "text" | "uuid" | "bigint" | "boolean" => &[],
            other => panic!("{table}.{name} is of a type that nobody has thought of: {other}"),
        };
        for value in values {
            let statement = format!("UPDATE {table} SET {name} = '{value}' WHERE tenant_id = $1");
            let error = world().sql().execute(&statement, &[&who.id]).expect_err(&statement);
            let state = error.code().unwrap_or_else(|| panic!("{statement}: {error:?}"));
            let is_refused = *state == SqlState::CHECK_VIOLATION || *state == SqlState::NUMERIC_VALUE_OUT_OF_RANGE;
            assert!(is_refused, "{statement}: {error:?}");
            tried += 1;
        }
    }
    assert_eq!(tried, 2 * 3 + 9 * 4);
}

/// PostgreSQL plans a page without a call for each of its times: that takes half as long.
fn the_functions_of_a_page_are_inlined() {
    let mut sql = world().component_sql();
    for (expression, function) in [("unix_micros(created_at)", "unix_micros"), ("fold(address)", "fold")] {
        let statement = format!("EXPLAIN (VERBOSE, COSTS OFF) SELECT {expression} FROM properties");
        let plan: Vec<String> = sql.query(&statement, &[]).expect("a plan").iter().map(|row| row.get(0)).collect();
        assert!(!plan.join("\n").contains(&format!("{function}(")), "{plan:#?}");
    }
}
