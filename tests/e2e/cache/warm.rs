//! `POST /api/cache/warm`: what landlords ask for first is in the cache before they ask, by the way that readers go.

use std::thread;

use serde_json::{Value, json};

use crate::support::{
    Answer, Cache, Place, Private, Tenant, World, eventually, payments_path, property_path, together, trials, world,
};

trials![
    only_an_administrator_warms,
    an_invalid_order_is_400,
    what_was_warmed_is_a_hit_and_asks_postgresql_nothing,
    warming_is_not_counted_as_a_lookup,
    a_warming_is_bounded_and_resumes_at_its_cursor,
    only_active_landlords_are_warmed,
    only_the_named_landlords_are_warmed_each_with_its_own_rows,
    an_invalid_entry_is_replaced,
    nothing_is_stored_under_a_fence,
    a_row_changed_during_the_read_is_not_stored,
    two_warmings_at_once_read_each_value_once,
    no_more_statements_are_sent_than_the_rate_allows,
    without_the_cache_it_says_so_and_asks_postgresql_nothing,
];

const WARM: &str = "/api/cache/warm";

fn warm(world: &World, body: &Value) -> Answer {
    world.administrator().post(WARM, body)
}

/// What a request for these landlords did.
#[track_caller]
fn warmed(world: &World, landlords: &[&Tenant]) -> Value {
    let ids: Vec<&str> = landlords.iter().map(|who| who.id.as_str()).collect();
    warm(world, &json!({ "tenants": ids, "ratePerSecond": 200 })).is(200).json()
}

/// Warmed, there already, not stored.
#[track_caller]
fn counts(told: &Value) -> [u64; 3] {
    ["warmed", "alreadyThere", "notStored"]
        .map(|name| told[name].as_u64().unwrap_or_else(|| panic!("{name} in {told}")))
}

/// A world whose cache is in use.
fn in_use(own: Private) -> Private {
    until_used(&own);
    own
}

/// The very first requests may come while the cache is being let in.
fn until_used(world: &World) {
    eventually("the cache is in use", || (warm(world, &json!({ "tenants": ["nobody"] })).status == 200).then_some(()));
}

/// A landlord with so many properties.
fn with_properties(world: &World, count: i64) -> Tenant {
    let who = world.tenant();
    let statement = "INSERT INTO properties (tenant_id, id, address) \
        SELECT $1, gen_random_uuid(), 'No ' || n FROM generate_series(1, $2::bigint) n";
    world.execute(statement, &[&who.id, &count]);
    who
}

fn only_an_administrator_warms() {
    let who = world().tenant();
    let body = json!({ "tenants": [who.id] });
    world().request("POST", WARM).json(&body).send().is(401);
    who.post(WARM, &body).problem(403);
    assert_eq!(world().keys_of(&who), Vec::<String>::new());
    assert_eq!(world().administrator().get(WARM).is(405).list("allow"), ["options", "post"]);
}

fn an_invalid_order_is_400() {
    let operator = world().administrator();
    for (body, member) in [
        (json!({}), "tenants"),
        (json!({ "tenants": [] }), "tenants"),
        (json!({ "tenants": ["a:b"] }), "tenants"),
        (json!({ "tenants": vec!["a"; 101] }), "tenants"),
        (json!({ "tenants": ["a"], "activeWithinHours": 1 }), "tenants"),
        (json!({ "activeWithinHours": 169 }), "activeWithinHours"),
        (json!({ "tenants": ["a"], "limit": 1001 }), "limit"),
        (json!({ "tenants": ["a"], "ratePerSecond": 201 }), "ratePerSecond"),
        (json!({ "tenants": ["a"], "cursor": "x" }), "cursor"),
        (json!({ "tenants": ["a"], "cursor": "b:property:list" }), "cursor"),
        (json!([]), "body"),
    ] {
        operator.post(WARM, &body).names(member);
    }
    operator.request("POST", WARM).body("{}").send().is(415);
}

fn what_was_warmed_is_a_hit_and_asks_postgresql_nothing() {
    let own = in_use(Private::start());
    let place = Place::of(own.tenant());
    let told = warmed(&own, &[&place.who]);
    assert_eq!(counts(&told), [3, 0, 0], "{told}");
    assert_eq!((&told["done"], &told["tenantsLeft"], told.get("cursor")), (&json!(true), &json!(0), None));
    let before = own.reads();
    for route in ["/api/properties".to_owned(), place.property_path(), place.payments_path()] {
        let answer = place.who.get(&route).is(200);
        assert_eq!(answer.cache(), Cache::Hit, "{answer}");
    }
    assert_eq!(own.reads(), before);
    // Again there is nothing left to read but which properties there are.
    assert_eq!(counts(&warmed(&own, &[&place.who])), [0, 3, 0]);
    assert_eq!(own.reads(), before + 1);
}

fn warming_is_not_counted_as_a_lookup() {
    let own = in_use(Private::start());
    let place = Place::of(own.tenant());
    warmed(&own, &[&place.who]);
    let fills = r#"renttracker_cache_fills_total{result="stored"}"#;
    eventually("its counts are told", || (own.metric(fills) >= 3).then_some(()));
    let text = own.get("/metrics").is(200).text();
    let lookups = text.lines().filter(|line| line.starts_with("renttracker_cache_lookups_total"));
    assert!(lookups.clone().count() > 5 && lookups.clone().all(|line| line.ends_with(" 0")), "{text}");
}

fn a_warming_is_bounded_and_resumes_at_its_cursor() {
    let own = in_use(Private::start());
    let (one, other) = (with_properties(&own, 5), with_properties(&own, 2));
    // A list, and two entries of each property.
    let entries = 2 + 2 * (5 + 2);
    let limit = 3;
    let mut body = json!({ "tenants": [one.id, other.id], "limit": limit, "ratePerSecond": 200 });
    let (mut requests, mut seen) = (0, 0);
    loop {
        let before = own.keys_of(&one).len() + own.keys_of(&other).len();
        let told = warm(&own, &body).is(200).json();
        let [warmed, there, not_stored] = counts(&told);
        assert_eq!((there, not_stored), (0, 0), "an entry was dealt with twice: {told}");
        assert!(warmed <= limit, "{told}");
        let now = own.keys_of(&one).len() + own.keys_of(&other).len();
        assert_eq!((now - before) as u64, warmed, "{told}");
        (requests, seen) = (requests + 1, seen + warmed);
        let Some(cursor) = told["cursor"].as_str() else {
            assert_eq!((&told["done"], &told["tenantsLeft"]), (&json!(true), &json!(0)));
            break;
        };
        assert_eq!(told["done"], false);
        assert!(told["tenantsLeft"].as_u64() >= Some(1), "{told}");
        body["cursor"] = cursor.into();
    }
    assert_eq!((requests, seen), (u64::div_ceil(entries, limit), entries));
}

fn only_active_landlords_are_warmed() {
    let own = in_use(Private::start());
    let landlords: Vec<Place> = (0..3).map(|_| Place::of(own.tenant())).collect();
    let [by_property, by_payment, idle] = landlords.as_slice() else { unreachable!("three") };
    let ago = |table: &str, place: &Place, hours: i32| {
        let statement = format!("UPDATE {table} SET updated_at = now() - $2 * interval '1 hour' WHERE tenant_id = $1");
        own.execute(&statement, &[&place.who.id, &f64::from(hours)]);
    };
    for place in [by_payment, idle] {
        ago("properties", place, 30);
    }
    for place in [by_property, idle] {
        ago("payments", place, 30);
    }
    let told = warm(&own, &json!({ "activeWithinHours": 24 })).is(200).json();
    assert_eq!((counts(&told), &told["done"]), ([6, 0, 0], &json!(true)), "{told}");
    for (place, keys) in [(by_property, 3), (by_payment, 3), (idle, 0)] {
        assert_eq!(own.keys_of(&place.who).len(), keys);
    }
    assert_eq!(counts(&warm(&own, &json!({ "activeWithinHours": 31 })).is(200).json()), [3, 6, 0]);
}

fn only_the_named_landlords_are_warmed_each_with_its_own_rows() {
    let own = in_use(Private::start());
    let landlords: Vec<Tenant> = (0..3).map(|_| own.tenant()).collect();
    let [alice, bob, carol] = landlords.as_slice() else { unreachable!("three") };
    let address = |who: &Tenant| format!("{}'s street", who.id);
    let ids: Vec<String> = landlords.iter().map(|who| who.property_at(&address(who))).collect();
    warmed(&own, &[alice, bob]);
    assert_eq!(own.keys_of(carol), Vec::<String>::new());
    for (who, id) in [(alice, &ids[0]), (bob, &ids[1])] {
        let answer = who.get("/api/properties").is(200);
        assert_eq!((answer.cache(), &answer.json()["items"][0]["address"]), (Cache::Hit, &json!(address(who))));
        let answer = who.get(&property_path(id)).is(200);
        assert_eq!((answer.cache(), &answer.json()["address"]), (Cache::Hit, &json!(address(who))));
        assert_eq!(who.get(&payments_path(id)).is(200).json()["totalCount"], 0);
    }
    alice.get(&property_path(&ids[1])).is(404);
}

fn an_invalid_entry_is_replaced() {
    until_used(world());
    let place = Place::of(world().tenant());
    let key = |rest: String| world().key(&place.who, &rest);
    let _: () = world().redis_command(&["SET", &key(format!("property:{}", place.property)), "garbage", "PX", "60000"]);
    let _: () = world().redis_command(&["SET", &key("property:list".into()), "no list", "PX", "60000"]);
    let told = warmed(world(), &[&place.who]);
    assert_eq!(counts(&told), [3, 0, 0], "{told}");
    for route in ["/api/properties".to_owned(), place.property_path()] {
        assert_eq!(place.who.get(&route).is(200).cache(), Cache::Hit, "{route}");
    }
}

fn nothing_is_stored_under_a_fence() {
    let own = in_use(Private::start());
    let place = Place::of(own.tenant());
    let lock = format!("lock:{}", own.key(&place.who, &format!("property:{}", place.property)));
    let _: i64 = own.redis_command(&["HSET", &lock, "fence:of-a-write", "99999999999999"]);
    let _: i64 = own.redis_command(&["EXPIRE", &lock, "60"]);
    let before = own.reads();
    let told = warmed(&own, &[&place.who]);
    assert_eq!(counts(&told), [2, 0, 1], "{told}");
    assert_eq!(own.reads(), before + 3, "what cannot be stored is not read");
    assert_eq!(place.who.get(&place.property_path()).is(200).cache(), Cache::Unstored);
}

/// The warmer reads the payments as their leader and is held up there; a writer puts up its fence meanwhile.
fn a_row_changed_during_the_read_is_not_stored() {
    let own = in_use(Private::start());
    let place = Place::of(own.tenant());
    let cash = place.who.cash(7);
    let lock = format!("lock:{}", own.key(&place.who, &format!("property:{}:payments:list", place.property)));
    let held = |begins: &str| {
        let fields: Vec<String> = own.redis_command(&["HKEYS", &lock]);
        fields.iter().any(|field| field.starts_with(begins)).then_some(())
    };
    let mut sql = own.sql();
    let mut transaction = sql.transaction().expect("a transaction");
    transaction.batch_execute("LOCK TABLE payments IN ACCESS EXCLUSIVE MODE").expect("a lock");
    thread::scope(|scope| {
        let warmer = scope.spawn(|| warmed(&own, &[&place.who]));
        eventually("the warmer is the leader", || held("owner:"));
        let writer = scope.spawn(|| place.who.post(&place.payments_path(), &cash).is(201));
        eventually("the writer's fence is up", || held("fence:"));
        transaction.rollback().expect("it is given back");
        let told = warmer.join().expect("an answer");
        assert_eq!(counts(&told), [2, 0, 1], "{told}");
        writer.join().expect("an answer");
    });
    assert_eq!(place.who.get(&place.payments_path()).is(200).json()["totalCount"], 2);
}

fn two_warmings_at_once_read_each_value_once() {
    let own = in_use(Private::start());
    let (_host, other) = own.another_host();
    until_used(&other);
    let who = with_properties(&own, 20);
    let before = own.reads();
    let told = together(4, |number| warmed(if number % 2 == 0 { &own } else { &other }, &[&who]));
    let sum = |index: usize| told.iter().map(|told| counts(told)[index]).sum::<u64>();
    assert_eq!([sum(0), sum(1), sum(2)], [41, 3 * 41, 0], "{told:?}");
    // And each asks once which properties there are.
    assert_eq!(own.reads() - before, 41 + 4);
}

fn no_more_statements_are_sent_than_the_rate_allows() {
    let own = in_use(Private::start());
    let who = with_properties(&own, 100);
    let before = own.reads();
    let body = json!({ "tenants": [who.id], "limit": 1000, "ratePerSecond": 10 });
    let told = warm(&own, &body).is(200).json();
    // A request works for 5 s, and its last statement may begin right at their end.
    let (sent, most) = (own.reads() - before, 5 * 10 + 1);
    assert!((2..=most).contains(&sent), "{sent} statements: {told}");
    assert_eq!((&told["done"], &told["tenantsLeft"]), (&json!(false), &json!(1)), "{told}");
    assert_eq!(counts(&told)[0] as i64, sent - 1, "{told}");
}

fn without_the_cache_it_says_so_and_asks_postgresql_nothing() {
    let own = Private::without_redis(&[("redis_connect_timeout_ms", "100")]);
    let who = with_properties(&own, 2);
    let before = own.reads();
    for body in [json!({ "tenants": [who.id] }), json!({ "activeWithinHours": 1 })] {
        let answer = warm(&own, &body);
        answer.problem(409);
        answer.needs("retry-after");
        assert!(answer.text().contains("out of use"), "{answer}");
    }
    assert_eq!(own.reads(), before);
    let asked = "SELECT FROM pg_stat_statements WHERE query ~ 'active_tenants\\(' AND dbid = \
        (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(own.query(asked, &[]).len(), 0);
}
