//! `Idempotency-Key`: a POST that is sent again is done once.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Answer, Cache, NOWHERE, Private, Request, Tenant, World, eventually, exchange, payments_path, property_path,
    together, trials, world,
};

trials![
    a_repeated_request_gets_the_first_answer,
    a_repeated_request_gets_the_first_answer_although_the_row_has_changed,
    a_key_in_quotation_marks_is_the_same_key,
    the_same_key_on_another_request_is_422,
    a_key_belongs_to_one_landlord,
    an_invalid_key_is_400,
    a_refused_request_is_not_remembered,
    other_methods_ignore_a_key,
    a_repeated_request_during_the_first_is_409,
    of_many_repeated_requests_on_two_hosts_one_is_executed,
    a_key_is_kept_for_a_day,
    a_payment_is_recorded_once_though_its_host_dies_before_it_answers,
    a_payment_is_recorded_once_though_its_host_dies_without_a_fence,
];

fn keyed(who: &Tenant, path: &str, key: &str, body: &Value) -> Request {
    who.request("POST", path).header("Idempotency-Key", key).json(body)
}

fn post(who: &Tenant, path: &str, key: &str, body: &Value) -> Answer {
    keyed(who, path, key, body).send()
}

/// What a client takes from the answer to a POST.
fn told(answer: &Answer) -> (u16, Vec<u8>, Option<String>, Option<String>) {
    (answer.status, answer.body.clone(), answer.header("location"), answer.header("etag"))
}

fn rows(who: &Tenant, table: &str) -> i64 {
    who.world.query(&format!("SELECT count(*) FROM {table} WHERE tenant_id = $1"), &[&who.id])[0].get(0)
}

/// A property with every member, so that each of them has to survive.
fn whole_property() -> Value {
    json!({
        "address": "1 \"Quoted\" St \u{1F3E0}", "suburb": "Zürich", "state": "\u{1}", "postCode": "2000",
        "description": "a\nb", "weeklyRentAmount": 450.5, "leaseStartDate": "2025-03-01T00:00:00.123456Z",
        "leaseEndDate": "0001-01-01", "propertyManager": "Mei", "propertyManagerContact": "mei@example.com",
    })
}

fn a_repeated_request_gets_the_first_answer() {
    let who = world().tenant();
    let first = post(&who, "/api/properties", "p-1", &whole_property()).is(201);
    for _ in 0..3 {
        assert_eq!(told(&post(&who, "/api/properties", "p-1", &whole_property())), told(&first));
    }
    assert_eq!(rows(&who, "properties"), 1);

    let path = payments_path(first.json()["id"].as_str().expect("an id"));
    let body = who.cash(100);
    let first = post(&who, &path, "y-1", &body).is(201);
    for _ in 0..3 {
        assert_eq!(told(&post(&who, &path, "y-1", &body)), told(&first));
    }
    assert_eq!(rows(&who, "payments"), 1);
    assert_eq!(who.get(&first.needs("location")).is(200).body, first.body);
    // Without a key each is one of its own.
    who.post(&path, &body).is(201);
    who.post(&path, &body).is(201);
    assert_eq!(rows(&who, "payments"), 3);
}

fn a_repeated_request_gets_the_first_answer_although_the_row_has_changed() {
    let who = world().tenant();
    let body = json!({ "address": "1 First St" });
    let first = post(&who, "/api/properties", "k", &body).is(201);
    let path = first.needs("location");
    who.put(&path, &json!({ "address": "2 Second St" })).is(200);
    assert_eq!(told(&post(&who, "/api/properties", "k", &body)), told(&first));
    assert_eq!(who.get(&path).is(200).json()["address"], "2 Second St");

    let (payments, cash) = (format!("{path}/payments"), who.cash(100));
    let paid = post(&who, &payments, "y", &cash).is(201);
    who.world.execute("UPDATE payment_methods SET updated_at = now() WHERE tenant_id = $1", &[&who.id]);
    who.put(&paid.needs("location"), &who.cash(200)).is(204);
    assert_eq!(told(&post(&who, &payments, "y", &cash)), told(&paid));
    who.delete(&path).is(204);
    assert_eq!(told(&post(&who, "/api/properties", "k", &body)), told(&first));
    assert_eq!(told(&post(&who, &payments, "y", &cash)), told(&paid));
    who.get(&path).is(404);
    assert_eq!((rows(&who, "properties"), rows(&who, "payments")), (0, 0));
}

fn a_key_in_quotation_marks_is_the_same_key() {
    let who = world().tenant();
    let body = json!({ "address": "1 Main St" });
    let first = post(&who, "/api/properties", "8e03978e-40d5", &body).is(201);
    assert_eq!(told(&post(&who, "/api/properties", "\"8e03978e-40d5\"", &body)), told(&first));
    let odd = post(&who, "/api/properties", r#""a\"b\\c""#, &body).is(201);
    assert_eq!(told(&post(&who, "/api/properties", r#"a"b\c"#, &body)), told(&odd));
    assert_eq!(rows(&who, "properties"), 2);
}

fn the_same_key_on_another_request_is_422() {
    let who = world().tenant();
    let body = json!({ "address": "1 Main St" });
    let first = post(&who, "/api/properties", "k", &body).is(201);
    let property = first.json()["id"].as_str().expect("an id").to_owned();
    let another = who.property_at("2 Main St");
    post(&who, "/api/properties", "k", &json!({ "address": "2 Main St" })).problem(422);
    post(&who, &payments_path(&property), "k", &who.cash(1)).problem(422);
    post(&who, &payments_path(&property), "y", &who.cash(1)).is(201);
    post(&who, &payments_path(&another), "y", &who.cash(1)).problem(422);
    assert_eq!(told(&post(&who, "/api/properties", "k", &body)), told(&first));
    assert_eq!((rows(&who, "properties"), rows(&who, "payments")), (2, 1));
}

fn a_key_belongs_to_one_landlord() {
    let (alice, bob) = (world().tenant(), world().tenant());
    let body = json!({ "address": "1 Main St" });
    let first = post(&alice, "/api/properties", "k", &body).is(201);
    let other = post(&bob, "/api/properties", "k", &body).is(201);
    assert_ne!(first.json()["id"], other.json()["id"]);
    post(&bob, "/api/properties", "k", &json!({ "address": "2 Main St" })).problem(422);
    assert_eq!(told(&post(&alice, "/api/properties", "k", &body)), told(&first));
}

fn an_invalid_key_is_400() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let long = "k".repeat(256);
    for key in ["", "\"\"", "a b", "\"a", "\"a\";q=1", "k\u{e9}", &long] {
        post(&who, "/api/properties", key, &json!({ "address": "x" })).names("Idempotency-Key");
        post(&who, &payments_path(&property), key, &who.cash(1)).names("Idempotency-Key");
    }
    let twice = keyed(&who, "/api/properties", "a", &json!({ "address": "x" })).header("Idempotency-Key", "a");
    twice.send().names("Idempotency-Key");
    // Not found comes before validation, here too.
    post(&who, &payments_path(NOWHERE), "a b", &who.cash(1)).problem(404);
    post(&who, "/api/properties", &"k".repeat(255), &json!({ "address": "x" })).is(201);
    assert_eq!((rows(&who, "properties"), rows(&who, "payments")), (2, 0));
}

fn a_refused_request_is_not_remembered() {
    let who = world().tenant();
    post(&who, "/api/properties", "k", &json!({})).is(400);
    post(&who, "/api/properties", "k", &json!({ "address": "1 Main St" })).is(201);
    let property = who.property_at("2 Main St");
    let mut unknown = who.cash(1);
    unknown["paymentMethodId"] = NOWHERE.into();
    post(&who, &payments_path(&property), "y", &unknown).names("paymentMethodId");
    post(&who, &payments_path(NOWHERE), "y", &who.cash(1)).problem(404);
    post(&who, &payments_path(&property), "y", &who.cash(1)).is(201);
    assert_eq!((rows(&who, "properties"), rows(&who, "payments"), rows(&who, "idempotency_keys")), (2, 1, 2));
}

fn other_methods_ignore_a_key() {
    let who = world().tenant();
    let path = property_path(&who.property_at("1 Main St"));
    for address in ["2 Main St", "3 Main St"] {
        let put = who.request("PUT", &path).header("Idempotency-Key", "k").json(&json!({ "address": address }));
        assert_eq!(put.send().is(200).json()["address"], address);
    }
    who.request("GET", &path).header("Idempotency-Key", "a b").send().is(200);
    who.request("DELETE", &path).header("Idempotency-Key", "k").send().is(204);
    assert_eq!(rows(&who, "idempotency_keys"), 0);
}

/// Holds a property's row, so that a payment for it has to wait, until `release` is done with it.
fn while_held(own: &World, property: &str, act: impl FnOnce(postgres::Transaction<'_>)) {
    let mut sql = own.sql();
    let mut transaction = sql.transaction().expect("a transaction");
    let lock = "SELECT id FROM properties WHERE id = $1::text::uuid FOR UPDATE";
    assert_eq!(transaction.query(lock, &[&property]).expect("a lock").len(), 1);
    act(transaction);
}

/// Whether a statement of this database waits for a lock.
fn one_waits(sql: &mut postgres::Client) -> bool {
    let waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    !sql.query(waiting, &[]).expect("pg_stat_activity").is_empty()
}

/// Waits until a statement of this database waits for a lock, which PostgreSQL lets it do for 1.5 s.
fn until_one_waits(own: &World) {
    let mut sql = own.sql();
    eventually("a statement that waits", || one_waits(&mut sql).then_some(()));
}

fn a_repeated_request_during_the_first_is_409() {
    let own = Private::start();
    let who = own.tenant();
    let property = who.property_at("1 Main St");
    let (path, body) = (payments_path(&property), who.cash(100));
    let (other_body, another) = (who.cash(200), own.tenant());
    // On a busy machine PostgreSQL may have given up on the first before the second came: then they are sent anew.
    let (first, second) = eventually("a second request while the first is under way", || {
        std::thread::scope(|scope| {
            let mut both = None;
            while_held(&own, &property, |held| {
                let first = scope.spawn(|| post(&who, &path, "k", &body));
                until_one_waits(&own);
                let second = post(&who, &path, "k", &body);
                let is_under_way = one_waits(&mut own.sql());
                held.rollback().expect("it is given back");
                both = Some((first.join().expect("an answer"), second)).filter(|_| is_under_way);
            });
            both
        })
    });
    second.problem(409);
    assert_eq!(second.needs("retry-after"), "1");
    assert_eq!(told(&post(&who, &path, "k", &body)), told(&first.is(201)));
    post(&who, &path, "k", &other_body).problem(422);
    post(&another, "/api/properties", "k", &json!({ "address": "x" })).is(201);
    assert_eq!(rows(&who, "payments"), 1);
}

fn of_many_repeated_requests_on_two_hosts_one_is_executed() {
    const ROUNDS: usize = 8;
    const AT_ONCE: usize = 8;
    let own = Private::start();
    let (_host, there) = own.another_host();
    let who = own.tenant();
    let clients = [own.tenant_named(&who.id), there.tenant_named(&who.id)];
    let property = who.property_at("1 Main St");
    let (path, body) = (payments_path(&property), who.cash(100));
    let (mut repeated, mut told_to_wait) = (0, 0);
    for round in 0..ROUNDS {
        let key = format!("round-{round}");
        let answers = together(AT_ONCE, |number| post(&clients[number % 2], &path, &key, &body));
        let done: BTreeSet<_> = answers.iter().filter(|answer| answer.status == 201).map(told).collect();
        assert_eq!(done.len(), 1, "{answers:?}");
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            answer.problem(409);
            answer.needs("retry-after");
            told_to_wait += 1;
        }
        repeated += answers.iter().filter(|answer| answer.status == 201).count() - 1;
        assert_eq!(Some(&told(&post(&who, &path, &key, &body))), done.first());
        assert_eq!(rows(&who, "payments"), i64::try_from(round + 1).expect("a number"));
    }
    println!(
        "{} requests with {ROUNDS} keys on two hosts: {ROUNDS} done, {repeated} answered as the first, \
         {told_to_wait} told to wait",
        ROUNDS * AT_ONCE
    );
}

fn a_key_is_kept_for_a_day() {
    let own = Private::start();
    let who = own.tenant();
    let body = json!({ "address": "1 Main St" });
    let first = post(&who, "/api/properties", "k", &body).is(201);
    let age = |hours: f64, key: &str| {
        let statement = "UPDATE idempotency_keys SET created_at = now() - $1 * interval '1 hour' WHERE key = $2";
        assert_eq!(own.execute(statement, &[&hours, &key]), 1);
    };
    age(23.9, "k");
    assert_eq!(told(&post(&who, "/api/properties", "k", &body)), told(&first));
    // One that has run out is ignored, whether or not it has been removed.
    age(24.0, "k");
    let second = post(&who, "/api/properties", "k", &json!({ "address": "2 Main St" })).is(201);
    assert_ne!(second.json()["id"], first.json()["id"]);

    // And later writes remove it, of whomever it is.
    let insert = "INSERT INTO idempotency_keys (tenant_id, key, request, answer, created_at)
        SELECT 'somebody', 'old-' || n, repeat('0', 64), '{}', now() - interval '25 hours' FROM generate_series(1, 250) n";
    own.execute(insert, &[]);
    eventually("the old keys are gone", || {
        post(&own.tenant(), "/api/properties", "k", &body).is(201);
        let old = "SELECT count(*) FROM idempotency_keys WHERE created_at < now() - interval '24 hours'";
        (own.query(old, &[])[0].get::<_, i64>(0) == 0).then_some(())
    });
    assert_eq!(rows(&who, "idempotency_keys"), 1);
}

/// Sends a payment to a host that dies under it: nobody is answered.
fn unanswered(request: Request) {
    let answer = exchange(&request.address, &request.bytes());
    assert!(answer.as_ref().map_or(true, Vec::is_empty), "the host was to die before: {answer:?}");
}

/// Sent again to the host that lived, it is answered with the payment that is there, and every read sees it from then on.
fn is_recorded_once(who: &Tenant, path: &str, body: &Value) {
    let answer = eventually("an answer", || {
        let answer = post(who, path, "k", body);
        (answer.status != 409).then_some(answer)
    });
    let recorded: String = who.world.query("SELECT id::text FROM payments WHERE tenant_id = $1", &[&who.id])[0].get(0);
    assert_eq!(answer.is(201).json()["id"], recorded);
    let single = format!("{path}/{recorded}");
    for _ in 0..20 {
        assert_eq!(who.get(path).is(200).json()["totalCount"], 1);
        who.get(&single).is(200);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(rows(who, "payments"), 1);
    // Once the dead writer's fence has run out both are cached, as they are.
    for route in [path, &single] {
        let answer = eventually("it is cached", || {
            let answer = who.get(route).is(200);
            (answer.cache() == Cache::Hit).then_some(answer)
        });
        assert!(answer.text().contains(&recorded), "{answer}");
    }
    assert_eq!(told(&post(who, path, "k", body)).0, 201);
    assert_eq!(rows(who, "payments"), 1);
}

/// A landlord with a property whose empty list of payments is cached, and the property.
fn warm(own: &World) -> (Tenant, String) {
    let who = own.tenant();
    let property = who.property_at("1 Main St");
    eventually("it is cached", || {
        let answer = who.get(&payments_path(&property)).is(200);
        assert_eq!(answer.json()["totalCount"], 0);
        (answer.cache() == Cache::Hit).then_some(())
    });
    (who, property)
}

/// The host dies after the commit, while it tells Redis of it.
fn a_payment_is_recorded_once_though_its_host_dies_before_it_answers() {
    // Redis is patiently waited for, so that the answer is held up for as long as this test needs.
    let mut own = Private::with(&[("redis_timeout_ms", "10000")]);
    let (mut host, doomed) = own.another_host();
    let (who, property) = warm(&own);
    let (path, body) = (payments_path(&property), who.cash(100));
    let request = keyed(&doomed.tenant_named(&who.id), &path, "k", &body);
    let here: World = own.clone();
    std::thread::scope(|scope| {
        while_held(&here, &property, |held| {
            scope.spawn(|| unanswered(request));
            // By now its fence is up.
            until_one_waits(&here);
            own.redis().pause();
            held.rollback().expect("it is given back");
        });
        eventually("the payment is there", || (rows(&who, "payments") == 1).then_some(()));
        host.kill();
    });
    own.redis().resume();
    is_recorded_once(&who, &path, &body);
}

/// The host cannot reach Redis, dies while its statement runs, and PostgreSQL commits it all the same: what Redis has is
/// old, and the only one to know is the outbox.
fn a_payment_is_recorded_once_though_its_host_dies_without_a_fence() {
    let mut own = Private::with(&[("redis_timeout_ms", "250"), ("breaker_reset_seconds", "1")]);
    let (mut host, doomed) = own.another_host();
    let (who, property) = warm(&own);
    let (path, body) = (payments_path(&property), who.cash(100));
    let request = keyed(&doomed.tenant_named(&who.id), &path, "k", &body);
    let here: World = own.clone();
    own.redis().pause();
    std::thread::scope(|scope| {
        while_held(&here, &property, |held| {
            scope.spawn(|| unanswered(request));
            until_one_waits(&here);
            host.kill();
            held.rollback().expect("it is given back");
        });
    });
    eventually("the payment is there", || (rows(&who, "payments") == 1).then_some(()));
    own.redis().resume();
    is_recorded_once(&who, &path, &body);
}
