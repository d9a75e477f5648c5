//! `GET …/payments?after=`: the pages of a property's payments by keyset.

use serde_json::{Value, json};

use crate::support::{Cache, NOWHERE, Tenant, payments_path, trials, world};

trials![
    keyset_pages_match_numbered_pages_in_every_order_but_by_notes,
    keyset_pages_continue_while_payments_are_added_and_removed,
    keyset_pages_are_cached_until_a_write,
    an_invalid_cursor_or_one_of_another_order_is_named_in_a_400,
    a_property_that_does_not_exist_has_no_pages,
];

/// A landlord's property with payments of every kind: ties of each field, and none of a reference.
fn payments() -> (Tenant, String) {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let methods = [who.method("Cash"), who.method("Cheque")];
    for number in 0..10 {
        let reference = (number % 4 > 0).then(|| format!("reference \u{e4} {}", number % 3));
        who.payment(
            &property,
            &json!({
                "amount": 100.5 + f64::from(number % 3), "paymentMethodId": methods[number as usize % 2],
                "paymentDate": format!("2025-01-0{}T00:00:00.00000{}Z", 1 + number % 2, number % 3),
                "paymentReference": reference, "notes": format!("note {number}")
            }),
        );
    }
    let path = payments_path(&property);
    (who, path)
}

fn page(who: &Tenant, target: &str) -> Value {
    who.get(target).is(200).json()
}

fn keyset_pages_match_numbered_pages_in_every_order_but_by_notes() {
    let (who, path) = payments();
    let mut orders = vec![String::new(), "searchTerm=cash".into(), "searchTerm=REFERENCE&sortField=amount".into()];
    for field in ["paymentDate", "amount", "paymentMethod", "paymentReference"] {
        orders.extend([false, true].map(|descending| format!("sortField={field}&sortDescending={descending}")));
    }
    for order in orders {
        let numbered = page(&who, &format!("{path}?{order}&pageSize=50"))["items"].clone();
        assert!(numbered.as_array().map_or(0, Vec::len) > 3, "{order}: {numbered}");
        for size in [1, 3, 10] {
            assert_eq!(
                Value::from(who.items_by_keyset(&format!("{path}?{order}&pageSize={size}"))),
                numbered,
                "{order} {size}"
            );
        }
    }
    who.get(&format!("{path}?sortField=notes&after=")).names("after");
}

fn keyset_pages_continue_while_payments_are_added_and_removed() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let path = payments_path(&property);
    let pay = |day: u8| {
        let mut body = who.cash(day.into());
        body["paymentDate"] = format!("2025-01-{day:02}").into();
        who.payment(&property, &body)
    };
    let ids: Vec<String> = [5, 4, 2].map(pay).into();
    let first = page(&who, &format!("{path}?pageSize=2&after="));
    assert_eq!((&first["hasNextPage"], &first["hasPreviousPage"]), (&json!(true), &json!(false)), "{first}");
    assert_eq!(first["totalCount"], Value::Null, "nothing is counted");
    let cursor = first["nextCursor"].as_str().expect("there is more");
    // The very payment that the cursor names goes, one comes before it and one behind.
    who.delete(&format!("{path}/{}", ids[1])).is(204);
    pay(6);
    let between = pay(3);
    let second = page(&who, &format!("{path}?pageSize=2&after={cursor}"));
    let seen: Vec<&str> =
        second["items"].as_array().expect("items").iter().filter_map(|it| it["id"].as_str()).collect();
    assert_eq!(seen, [&between, &ids[2]]);
    assert_eq!((&second["hasNextPage"], &second["hasPreviousPage"]), (&json!(false), &json!(true)), "{second}");
}

fn keyset_pages_are_cached_until_a_write() {
    let (who, path) = payments();
    let first = format!("{path}?pageSize=2&after=");
    let second = format!("{first}{}", page(&who, &first)["nextCursor"].as_str().expect("a cursor"));
    assert_eq!(who.get(&first).is(200).cache(), Cache::Hit);
    assert_eq!([who.get(&second).cache(), who.get(&second).cache()], [Cache::Stored, Cache::Hit]);
    who.post(&path, &who.cash(1)).is(201);
    assert_eq!([who.get(&first).cache(), who.get(&second).cache()], [Cache::Stored, Cache::Stored]);
}

fn an_invalid_cursor_or_one_of_another_order_is_named_in_a_400() {
    let (who, path) = payments();
    let cursor = page(&who, &format!("{path}?pageSize=1&after="))["nextCursor"].as_str().expect("a cursor").to_owned();
    for query in [
        "after=x".to_owned(),
        format!("after={cursor}x"),
        format!("after={cursor}&sortField=amount"),
        format!("after={cursor}&sortField=paymentDate"),
        format!("after={cursor}&pageNumber=2"),
    ] {
        who.get(&format!("{path}?{query}")).names("after");
    }
    who.get(&format!("{path}?after={cursor}&sortField=paymentDate&sortDescending=true")).is(200);
}

fn a_property_that_does_not_exist_has_no_pages() {
    let (who, path) = payments();
    who.get(&format!("{}?after=", payments_path(NOWHERE))).is(404);
    world().tenant().get(&format!("{path}?after=")).is(404);
    let empty = payments_path(&who.property_at("2 Other St"));
    assert_eq!(
        page(&who, &format!("{empty}?after=")),
        json!({ "items": [], "hasNextPage": false, "hasPreviousPage": false })
    );
}
