//! Lists: the shape of a page, page numbers, and order.

use serde_json::{Value, json};

use crate::support::{Tenant, payments_path, trials, world};

trials![
    a_page_has_its_members_and_no_others,
    an_empty_list_is_an_empty_page,
    pages_follow_one_another_without_gap_or_repeat,
    a_page_past_the_end_is_empty,
    page_numbers_below_one_become_one,
    page_sizes_are_clamped,
    an_invalid_number_or_boolean_is_named_in_a_400,
    numbers_out_of_any_range_do_no_harm,
    booleans_are_read_in_any_case,
    properties_are_listed_by_address_by_default,
    properties_sort_by_each_text_field_in_both_directions,
    properties_sort_by_rent_as_a_number,
    properties_sort_by_lease_dates,
    nulls_come_last_in_both_directions,
    sort_fields_match_in_any_case,
    an_unknown_sort_field_means_address,
    ties_break_by_id_in_both_directions,
    pages_of_ties_do_not_overlap,
    payments_are_listed_newest_first_by_default,
    payments_sort_by_each_field_in_both_directions,
    payments_without_a_reference_come_last,
    payments_with_one_date_are_ordered_by_id,
    payments_are_paged_as_properties_are,
    payments_of_other_properties_are_not_listed,
];

/// Creates properties at these addresses: their ids.
pub fn addresses(who: &Tenant, addresses: &[&str]) -> Vec<String> {
    addresses.iter().map(|address| who.property_at(address)).collect()
}

/// The page that this query gives.
pub fn page(who: &Tenant, query: &str) -> Value {
    who.get(&format!("/api/properties?{query}")).is(200).json()
}

/// The addresses on the page that this query gives, in order.
pub fn by_address(who: &Tenant, query: &str) -> Vec<String> {
    who.column(&format!("/api/properties?{query}"), "address")
}

/// A member of each page, without its items.
pub fn frame(page: &Value) -> Value {
    let mut frame = page.clone();
    frame.as_object_mut().expect("an object").remove("items").expect("items");
    frame
}

fn a_page_has_its_members_and_no_others() {
    let who = world().tenant();
    addresses(&who, &["1 A St", "2 B St", "3 C St"]);
    let first = json!({
        "totalCount": 3, "pageNumber": 1, "totalPages": 2, "hasNextPage": true, "hasPreviousPage": false
    });
    assert_eq!(frame(&page(&who, "pageSize=2")), first);
    let second = json!({
        "totalCount": 3, "pageNumber": 2, "totalPages": 2, "hasNextPage": false, "hasPreviousPage": true
    });
    assert_eq!(frame(&page(&who, "pageSize=2&pageNumber=2")), second);
}

fn an_empty_list_is_an_empty_page() {
    let empty = json!({
        "items": [], "totalCount": 0, "pageNumber": 1, "totalPages": 0, "hasNextPage": false, "hasPreviousPage": false
    });
    let who = world().tenant();
    assert_eq!(who.get("/api/properties").is(200).json(), empty);
    let property = world().tenant();
    let id = property.property_at("1 Main St");
    assert_eq!(property.get(&payments_path(&id)).is(200).json(), empty);
}

fn pages_follow_one_another_without_gap_or_repeat() {
    let who = world().tenant();
    for number in 0..7 {
        who.property_at(&format!("{number} Main St"));
    }
    let mut seen = Vec::new();
    for number in 1..=4 {
        seen.extend(by_address(&who, &format!("pageSize=2&pageNumber={number}")));
    }
    assert_eq!(seen, (0..7).map(|number| format!("{number} Main St")).collect::<Vec<_>>());
}

fn a_page_past_the_end_is_empty() {
    let who = world().tenant();
    addresses(&who, &["1 A St", "2 B St"]);
    let page = page(&who, "pageNumber=5&pageSize=2");
    assert_eq!(page["items"], json!([]));
    assert_eq!([&page["totalCount"], &page["totalPages"], &page["pageNumber"]], [&json!(2), &json!(1), &json!(5)]);
    assert_eq!([&page["hasNextPage"], &page["hasPreviousPage"]], [&json!(false), &json!(true)]);
}

fn page_numbers_below_one_become_one() {
    let who = world().tenant();
    addresses(&who, &["1 A St"]);
    for number in ["0", "-1", "-2147483648"] {
        let page = page(&who, &format!("pageNumber={number}"));
        assert_eq!(page["pageNumber"], 1, "{number}");
        assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{number}");
    }
}

fn page_sizes_are_clamped() {
    let who = world().tenant();
    let statement = "INSERT INTO properties (tenant_id, id, address) \
        SELECT $1, gen_random_uuid(), 'No ' || n FROM generate_series(1, 60) n";
    assert_eq!(world().execute(statement, &[&who.id]), 60);
    for (size, expected) in
        [("1", 1), ("49", 49), ("50", 50), ("51", 50), ("1000000", 50), ("0", 10), ("-1", 10), ("-2147483648", 10)]
    {
        let page = page(&who, &format!("pageSize={size}"));
        assert_eq!(page["items"].as_array().map(Vec::len), Some(expected), "pageSize={size}");
        assert_eq!(page["totalPages"], 60_usize.div_ceil(expected), "pageSize={size}");
    }
    assert_eq!(page(&who, "")["items"].as_array().map(Vec::len), Some(10));
}

fn an_invalid_number_or_boolean_is_named_in_a_400() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    for list in ["/api/properties".to_owned(), payments_path(&property)] {
        for wrong in ["abc", "1.5", "1e1", "0x10", "one", "1%202"] {
            who.get(&format!("{list}?pageNumber={wrong}")).names("pageNumber");
            who.get(&format!("{list}?pageSize={wrong}")).names("pageSize");
        }
        for wrong in ["maybe", "2", "yes!", "truefalse"] {
            who.get(&format!("{list}?sortDescending={wrong}")).names("sortDescending");
        }
    }
}

fn numbers_out_of_any_range_do_no_harm() {
    let who = world().tenant();
    addresses(&who, &["1 A St"]);
    // Within 32 bits the offset is what overflows.
    for number in ["2147483647", "100000000"] {
        assert_eq!(page(&who, &format!("pageNumber={number}&pageSize=50"))["items"], json!([]));
    }
    for number in ["9223372036854775807", "99999999999999999999999", "-99999999999999999999999"] {
        for name in ["pageNumber", "pageSize"] {
            let answer = who.get(&format!("/api/properties?{name}={number}"));
            assert!([200, 400].contains(&answer.status), "{answer}");
        }
    }
}

fn booleans_are_read_in_any_case() {
    let who = world().tenant();
    addresses(&who, &["1 A St", "2 B St"]);
    for (text, first) in
        [("true", "2 B St"), ("True", "2 B St"), ("TRUE", "2 B St"), ("false", "1 A St"), ("False", "1 A St")]
    {
        assert_eq!(by_address(&who, &format!("sortDescending={text}"))[0], first, "{text}");
    }
}

fn properties_are_listed_by_address_by_default() {
    let who = world().tenant();
    addresses(&who, &["c", "a", "d", "b"]);
    assert_eq!(by_address(&who, ""), ["a", "b", "c", "d"]);
    assert_eq!(by_address(&who, "sortDescending=true"), ["d", "c", "b", "a"]);
}

fn properties_sort_by_each_text_field_in_both_directions() {
    for field in ["address", "suburb", "state"] {
        let who = world().tenant();
        for (address, value) in [("1", "mango"), ("2", "apple"), ("3", "zebra"), ("4", "fig")] {
            let mut body = json!({ "address": address });
            body[field] = value.into();
            who.property(&body);
        }
        let list = |query: &str| who.column(&format!("/api/properties?sortField={field}&{query}"), field);
        assert_eq!(list(""), ["apple", "fig", "mango", "zebra"], "{field}");
        assert_eq!(list("sortDescending=false"), ["apple", "fig", "mango", "zebra"], "{field}");
        assert_eq!(list("sortDescending=true"), ["zebra", "mango", "fig", "apple"], "{field}");
    }
}

fn properties_sort_by_rent_as_a_number() {
    let who = world().tenant();
    for (address, rent) in [("a", json!(100)), ("b", json!(9.5)), ("c", json!(1000)), ("d", json!(-1))] {
        who.property(&json!({ "address": address, "weeklyRentAmount": rent }));
    }
    assert_eq!(by_address(&who, "sortField=weeklyRentAmount"), ["d", "b", "a", "c"]);
    assert_eq!(by_address(&who, "sortField=weeklyRentAmount&sortDescending=true"), ["c", "a", "b", "d"]);
}

fn properties_sort_by_lease_dates() {
    for field in ["leaseStartDate", "leaseEndDate"] {
        let who = world().tenant();
        for (address, date) in [
            ("a", "2025-03-01T09:00:00+10:00"),
            ("b", "2025-03-01T00:00:00Z"),
            ("c", "2024-12-31"),
            ("d", "1999-01-01"),
        ] {
            let mut body = json!({ "address": address });
            body[field] = date.into();
            who.property(&body);
        }
        assert_eq!(by_address(&who, &format!("sortField={field}")), ["d", "c", "a", "b"], "{field}");
        assert_eq!(
            by_address(&who, &format!("sortField={field}&sortDescending=true")),
            ["b", "a", "c", "d"],
            "{field}"
        );
    }
}

fn nulls_come_last_in_both_directions() {
    let who = world().tenant();
    who.property_at("none");
    who.property(&json!({
        "address": "low", "suburb": "a", "state": "a", "weeklyRentAmount": 1, "leaseStartDate": "2001-01-01",
        "leaseEndDate": "2001-01-01"
    }));
    who.property(&json!({
        "address": "top", "suburb": "b", "state": "b", "weeklyRentAmount": 2, "leaseStartDate": "2002-01-01",
        "leaseEndDate": "2002-01-01"
    }));
    for field in ["suburb", "state", "weeklyRentAmount", "leaseStartDate", "leaseEndDate"] {
        assert_eq!(by_address(&who, &format!("sortField={field}")), ["low", "top", "none"], "{field}");
        assert_eq!(
            by_address(&who, &format!("sortField={field}&sortDescending=true")),
            ["top", "low", "none"],
            "{field}"
        );
    }
}

fn sort_fields_match_in_any_case() {
    let who = world().tenant();
    for (address, rent) in [("a", 3), ("b", 1), ("c", 2)] {
        who.property(&json!({ "address": address, "weeklyRentAmount": rent }));
    }
    for field in ["weeklyRentAmount", "WeeklyRentAmount", "WEEKLYRENTAMOUNT", "weeklyrentamount"] {
        assert_eq!(by_address(&who, &format!("sortField={field}")), ["b", "c", "a"], "{field}");
    }
}

fn an_unknown_sort_field_means_address() {
    let who = world().tenant();
    for (address, suburb) in [("a", "3"), ("b", "1"), ("c", "2")] {
        who.property(&json!({ "address": address, "suburb": suburb }));
    }
    for field in ["", "nonsense", "id", "createdAt", "address;drop", "1", "suburb,address", "tenant_id"] {
        assert_eq!(by_address(&who, &format!("sortField={field}")), ["a", "b", "c"], "{field}");
    }
}

fn ties_break_by_id_in_both_directions() {
    let who = world().tenant();
    let mut ids = addresses(&who, &["same", "same", "same", "same", "same"]);
    ids.sort();
    for query in ["", "sortDescending=true", "sortField=suburb", "sortField=suburb&sortDescending=true"] {
        assert_eq!(who.ids(&format!("/api/properties?{query}")), ids, "{query}");
    }
}

fn pages_of_ties_do_not_overlap() {
    let who = world().tenant();
    let mut ids = addresses(&who, &["same"; 6]);
    ids.sort();
    let page = |number| who.ids(&format!("/api/properties?pageSize=2&sortDescending=true&pageNumber={number}"));
    assert_eq!([page(1), page(2), page(3)].concat(), ids);
}

/// A property with payments on these days, in this order of creation: the property and the ids.
pub fn payments(who: &Tenant, bodies: &[Value]) -> (String, Vec<String>) {
    let property = who.property_at("1 Main St");
    let method = who.method("Cash");
    let create = |body: &Value| {
        let mut whole = json!({ "amount": 1, "paymentDate": "2025-01-01", "paymentMethodId": method });
        for (member, value) in body.as_object().into_iter().flatten() {
            whole[member] = value.clone();
        }
        who.payment(&property, &whole)
    };
    let ids = bodies.iter().map(create).collect();
    (property, ids)
}

/// The ids at these positions.
pub fn at(ids: &[String], order: &[usize]) -> Vec<String> {
    order.iter().map(|number| ids[*number].clone()).collect()
}

fn payments_are_listed_newest_first_by_default() {
    let who = world().tenant();
    let days = ["2025-02-01", "2025-03-01", "2025-01-01"].map(|day| json!({ "paymentDate": day }));
    let (property, ids) = payments(&who, &days);
    assert_eq!(who.ids(&payments_path(&property)), at(&ids, &[1, 0, 2]));
}

fn payments_sort_by_each_field_in_both_directions() {
    let who = world().tenant();
    let method = |name: &str| who.method(name);
    let bodies = [
        json!({ "paymentDate": "2025-02-01", "amount": 100, "paymentMethodId": method("Credit Card"), "paymentReference": "b", "notes": "z" }),
        json!({ "paymentDate": "2025-03-01", "amount": 20, "paymentMethodId": method("Bank Transfer"), "paymentReference": "c", "notes": "x" }),
        json!({ "paymentDate": "2025-01-01", "amount": 3.5, "paymentMethodId": method("Cheque"), "paymentReference": "a", "notes": "y" }),
    ];
    let (property, ids) = payments(&who, &bodies);
    for (field, ascending) in [
        ("paymentDate", [2, 0, 1]),
        ("amount", [2, 1, 0]),
        ("paymentMethod", [1, 2, 0]),
        ("paymentReference", [2, 0, 1]),
        ("notes", [1, 2, 0]),
        ("PAYMENTREFERENCE", [2, 0, 1]),
    ] {
        let list = |descending| {
            who.ids(&format!("{}?sortField={field}&sortDescending={descending}", payments_path(&property)))
        };
        assert_eq!(list("false"), at(&ids, &ascending), "{field}");
        let mut descending = ascending;
        descending.reverse();
        assert_eq!(list("true"), at(&ids, &descending), "{field} descending");
    }
}

fn payments_without_a_reference_come_last() {
    let who = world().tenant();
    let bodies =
        [json!({}), json!({ "paymentReference": "a", "notes": "a" }), json!({ "paymentReference": "b", "notes": "b" })];
    let (property, ids) = payments(&who, &bodies);
    for field in ["paymentReference", "notes"] {
        let list = |descending| {
            who.ids(&format!("{}?sortField={field}&sortDescending={descending}", payments_path(&property)))
        };
        assert_eq!(list(false), at(&ids, &[1, 2, 0]), "{field}");
        assert_eq!(list(true), at(&ids, &[2, 1, 0]), "{field} descending");
    }
}

fn payments_with_one_date_are_ordered_by_id() {
    let who = world().tenant();
    let (property, mut ids) = payments(&who, &[json!({}), json!({}), json!({}), json!({})]);
    ids.sort();
    for query in ["", "?sortField=amount&sortDescending=true", "?sortField=paymentMethod", "?sortField=notes"] {
        assert_eq!(who.ids(&format!("{}{query}", payments_path(&property))), ids, "{query}");
    }
}

fn payments_are_paged_as_properties_are() {
    let who = world().tenant();
    let days = ["2025-01-01", "2025-01-02", "2025-01-03"].map(|day| json!({ "paymentDate": day }));
    let (property, ids) = payments(&who, &days);
    let list = payments_path(&property);
    let page = who.get(&format!("{list}?pageSize=2&pageNumber=2")).is(200).json();
    let expected = json!({
        "totalCount": 3, "pageNumber": 2, "totalPages": 2, "hasNextPage": false, "hasPreviousPage": true
    });
    assert_eq!(frame(&page), expected);
    assert_eq!(page["items"][0]["id"], ids[0]);
    assert_eq!(who.get(&format!("{list}?pageSize=0&pageNumber=-3")).is(200).json()["pageNumber"], 1);
    assert_eq!(who.get(&format!("{list}?pageNumber=9")).is(200).json()["items"], json!([]));
}

fn payments_of_other_properties_are_not_listed() {
    let who = world().tenant();
    let (one, ids) = payments(&who, &[json!({ "notes": "mine" })]);
    let two = who.property_at("2 Other St");
    who.payment_of(&two, 5);
    assert_eq!(who.ids(&payments_path(&one)), ids);
    assert_eq!(who.get(&payments_path(&one)).json()["totalCount"], 1);
}
