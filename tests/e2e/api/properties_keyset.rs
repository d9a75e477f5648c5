//! `GET /api/properties?after=`: the pages of a landlord's properties by keyset.

use serde_json::{Value, json};

use super::lists::{addresses, by_address, frame, page};
use crate::support::{Cache, trials, world};

trials![
    keyset_pages_match_numbered_pages_in_every_order,
    a_keyset_page_has_its_members_and_no_others,
    keyset_pages_continue_while_rows_are_added_and_removed,
    keyset_pages_can_be_searched,
    keyset_pages_are_cached_until_a_write,
    an_invalid_cursor_or_one_of_another_order_is_named_in_a_400,
];

fn keyset_pages_match_numbered_pages_in_every_order() {
    let who = world().tenant();
    // Values, ties and none of everything but the address.
    for number in 0..5 {
        who.property_at(&format!("{} Same St", number % 2));
        let value = format!("value {}", number % 3);
        let date = format!("2025-01-0{}T00:00:00.00000{}Z", 1 + number % 2, number % 2);
        who.property(&json!({
            "address": format!("{number} \u{e4}\u{1F3E0} St"), "suburb": value, "state": value,
            "weeklyRentAmount": 100 + number % 3, "leaseStartDate": date, "leaseEndDate": date
        }));
    }
    for field in ["address", "suburb", "state", "weeklyRentAmount", "leaseStartDate", "leaseEndDate"] {
        for descending in [false, true] {
            let order = format!("sortField={field}&sortDescending={descending}");
            let numbered = page(&who, &format!("{order}&pageSize=50"))["items"].clone();
            for size in [1, 3, 10, 50] {
                assert_eq!(
                    Value::from(who.items_by_keyset(&format!("/api/properties?{order}&pageSize={size}"))),
                    numbered,
                    "{order} {size}"
                );
            }
        }
    }
}

fn a_keyset_page_has_its_members_and_no_others() {
    let who = world().tenant();
    addresses(&who, &["1 A St", "2 B St", "3 C St"]);
    let mut first = frame(&page(&who, "pageSize=2&after="));
    let cursor = first["nextCursor"].take().as_str().expect("a cursor").to_owned();
    assert_eq!(first, json!({ "hasNextPage": true, "hasPreviousPage": false, "nextCursor": null }));
    let second = page(&who, &format!("pageSize=2&after={cursor}"));
    assert_eq!(second["items"][0]["address"], "3 C St");
    assert_eq!(frame(&second), json!({ "hasNextPage": false, "hasPreviousPage": true }));
    let nobody = page(&world().tenant(), "after=");
    assert_eq!(nobody, json!({ "items": [], "hasNextPage": false, "hasPreviousPage": false }));
    assert_eq!(page(&world().tenant(), &format!("after={cursor}"))["items"], json!([]), "a cursor is no key");
}

fn keyset_pages_continue_while_rows_are_added_and_removed() {
    let who = world().tenant();
    let ids = addresses(&who, &["1 A St", "2 B St", "4 D St"]);
    let cursor = page(&who, "pageSize=2&after=")["nextCursor"].as_str().expect("a cursor").to_owned();
    // The very row that the cursor names goes, one comes before it and one behind.
    who.delete(&format!("/api/properties/{}", ids[1])).is(204);
    addresses(&who, &["0 Z St", "3 C St"]);
    assert_eq!(by_address(&who, &format!("pageSize=2&after={cursor}")), ["3 C St", "4 D St"]);
}

fn keyset_pages_can_be_searched() {
    let who = world().tenant();
    addresses(&who, &["1 Oak St", "2 Elm St", "3 Oak St", "4 Oak St"]);
    let found: Vec<Value> = who
        .items_by_keyset("/api/properties?pageSize=1&searchTerm=OAK")
        .iter()
        .map(|item| item["address"].clone())
        .collect();
    assert_eq!(found, ["1 Oak St", "3 Oak St", "4 Oak St"]);
}

fn keyset_pages_are_cached_until_a_write() {
    let who = world().tenant();
    addresses(&who, &["1 A St", "2 B St", "3 C St"]);
    let first = "/api/properties?pageSize=1&after=";
    let miss = who.get(first).is(200);
    let second = format!("{first}{}", miss.json()["nextCursor"].as_str().expect("a cursor"));
    assert_eq!((miss.cache(), who.get(first).cache()), (Cache::Stored, Cache::Hit));
    assert_eq!((who.get(&second).cache(), who.get(&second).cache()), (Cache::Stored, Cache::Hit));
    assert_eq!(world().keys_of(&who), ["property:list"], "every page is a field of the one key");
    who.property_at("1 B St");
    assert_eq!(who.get(&second).cache(), Cache::Stored);
    assert_eq!(by_address(&who, "pageSize=4&after="), ["1 A St", "1 B St", "2 B St", "3 C St"]);
}

fn an_invalid_cursor_or_one_of_another_order_is_named_in_a_400() {
    let who = world().tenant();
    addresses(&who, &["1 A St", "2 B St"]);
    let cursor = page(&who, "pageSize=1&after=")["nextCursor"].as_str().expect("a cursor").to_owned();
    for query in [
        "after=x".to_owned(),
        "after=%00".to_owned(),
        format!("after={cursor}x"),
        format!("after={cursor}&sortField=suburb"),
        format!("after={cursor}&sortDescending=true"),
        format!("after={cursor}&pageNumber=2"),
    ] {
        who.get(&format!("/api/properties?{query}")).names("after");
    }
}
