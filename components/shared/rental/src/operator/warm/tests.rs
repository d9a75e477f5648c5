use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn tenant(text: &str) -> TenantId {
    TenantId::parse(text).expect("a tenant")
}

fn property(number: u128) -> PropertyId {
    PropertyId::parse(&format!("{:08x}-0000-7000-8000-000000000000", number)).expect("an id")
}

/// The active landlords, with how many properties each.
type Landlords = BTreeMap<String, u128>;

/// Makes one request's warming of these landlords; what it came to, where it stopped, and whether that is the end.
fn request(landlords: &Landlords, order: &WarmOrder) -> (Vec<String>, Option<WarmCursor>) {
    let mut warming = Warming::new(order);
    let (mut seen, mut last) = (Vec::new(), None);
    loop {
        match warming.step() {
            Step::ListTenants { after, .. } => {
                let all: Vec<TenantId> = landlords.keys().filter(|id| **id > after).map(|id| tenant(id)).collect();
                let count = all.len() as u64;
                warming.take_tenants(all.into_iter().take(TENANTS_AT_A_TIME).collect(), count);
            }
            Step::ListProperties { tenant, after } => {
                let all = (1..=landlords.get(tenant.as_str()).copied().unwrap_or_default()).map(property);
                let behind = all.filter(|id| after.is_none_or(|after| id.to_string() > after.to_string()));
                warming.take_properties(behind.take(PROPERTIES_AT_A_TIME).collect());
            }
            Step::Entry(_) if seen.len() as u64 == order.limit => return (seen, last),
            Step::Entry(cursor) => {
                seen.push(cursor.to_string());
                last = Some(cursor);
            }
            Step::Done => {
                assert_eq!(warming.tenants_left(), 0);
                return (seen, None);
            }
        }
    }
}

/// Requests until there is no cursor any more; what each came to.
fn warm(landlords: &Landlords, whose: &Whose, limit: u64) -> Vec<Vec<String>> {
    let (mut requests, mut cursor) = (Vec::new(), None);
    loop {
        let order = WarmOrder { whose: whose.clone(), limit, rate: 50, cursor };
        let (seen, next) = request(landlords, &order);
        requests.push(seen);
        // As it goes through an answer and back.
        cursor = next.map(|cursor| WarmCursor::parse(&cursor.to_string()).expect("a cursor"));
        if cursor.is_none() {
            return requests;
        }
        assert!(requests.len() < 10_000, "it ends");
    }
}

#[test]
fn a_walk_sees_the_list_and_then_each_property_with_its_payments() {
    let landlords = Landlords::from([("a".into(), 2), ("b".into(), 0)]);
    let [one, two] = [property(1), property(2)];
    let expected = [
        "a:property:list".to_owned(),
        format!("a:property:{one}"),
        format!("a:property:{one}:payments:list"),
        format!("a:property:{two}"),
        format!("a:property:{two}:payments:list"),
        "b:property:list".to_owned(),
    ];
    for limit in 1..10 {
        let requests = warm(&landlords, &Whose::Active(24), limit);
        assert_eq!(requests.concat(), expected, "{limit}");
        assert_eq!(requests.len() as u64, 6_u64.div_ceil(limit), "{limit}");
    }
}

#[test]
fn an_order_has_tenants_or_hours_and_a_limit() {
    let order = |body: &str| WarmOrder::parse(body.as_bytes());
    let parsed = order(r#"{"tenants": ["b", "a", "b"], "cursor": "b:property:list"}"#).expect("an order");
    assert_eq!(parsed.whose, Whose::Tenants(vec![tenant("a"), tenant("b")]));
    assert_eq!((parsed.limit, parsed.rate), (DEFAULT_LIMIT, DEFAULT_RATE));
    assert_eq!(parsed.cursor.map(|cursor| cursor.to_string()).as_deref(), Some("b:property:list"));
    let parsed = order(r#"{"activeWithinHours": 24, "limit": 1000, "ratePerSecond": 10}"#).expect("an order");
    assert_eq!(parsed, WarmOrder { whose: Whose::Active(24), limit: 1_000, rate: 10, cursor: None });
}

#[test]
fn what_is_wrong_is_named() {
    for (body, member) in [
        ("{}", "tenants"),
        (r#"{"tenants": ["a"], "activeWithinHours": 1}"#, "tenants"),
        (r#"{"tenants": "a"}"#, "tenants"),
        (r#"{"tenants": []}"#, "tenants"),
        (r#"{"tenants": ["a:b"]}"#, "tenants"),
        (r#"{"tenants": ["~system"]}"#, "tenants"),
        (r#"{"activeWithinHours": 0}"#, "activeWithinHours"),
        (r#"{"activeWithinHours": 169}"#, "activeWithinHours"),
        (r#"{"activeWithinHours": 1, "limit": 1001}"#, "limit"),
        (r#"{"activeWithinHours": 1, "limit": 0}"#, "limit"),
        (r#"{"activeWithinHours": 1, "ratePerSecond": 201}"#, "ratePerSecond"),
        (r#"{"activeWithinHours": 1, "ratePerSecond": 9}"#, "ratePerSecond"),
        (r#"{"activeWithinHours": 1, "cursor": ""}"#, "cursor"),
        (r#"{"activeWithinHours": 1, "cursor": "a:property:x"}"#, "cursor"),
        (r#"{"activeWithinHours": 1, "cursor": "a:payment:0192f0c1-2345-7abc-8def-0123456789ab"}"#, "cursor"),
        (r#"{"tenants": ["a"], "cursor": "b:property:list"}"#, "cursor"),
        ("[]", "body"),
    ] {
        let violations = WarmOrder::parse(body.as_bytes()).expect_err(body);
        assert!(violations.by_member().contains_key(member), "{body}: {violations:?}");
    }
}

proptest! {
    /// However many landlords and properties there are, and wherever it stops: each entry once, none left out.
    #[test]
    fn a_walk_ends_after_as_many_requests_as_it_takes_and_sees_nothing_twice(
        counts in proptest::collection::vec(0_u128..450, 0..8),
        few in 0_usize..230,
        limit in 1_u64..300,
        by_name in any::<bool>(),
    ) {
        let mut landlords: Landlords = (0..few).map(|number| (format!("few-{number:03}"), 0)).collect();
        landlords.extend(counts.iter().enumerate().map(|(number, count)| (format!("many-{number}"), *count)));
        let tenants: Vec<TenantId> = landlords.keys().take(MAX_TENANTS).map(|id| tenant(id)).collect();
        let whose = if by_name { Whose::Tenants(tenants) } else { Whose::Active(1) };
        let among = |id: &str| match &whose {
            Whose::Tenants(tenants) => tenants.iter().any(|tenant| tenant.as_str() == id),
            Whose::Active(_) => true,
        };
        let entries: u128 = landlords.iter().filter(|(id, _)| among(id)).map(|(_, count)| 1 + 2 * count).sum();
        let requests = warm(&landlords, &whose, limit);
        let seen = requests.concat();
        let distinct: std::collections::BTreeSet<&String> = seen.iter().collect();
        prop_assert_eq!((seen.len() as u128, distinct.len()), (entries, seen.len()));
        prop_assert_eq!(requests.len() as u128, entries.div_ceil(limit.into()).max(1));
    }
}
