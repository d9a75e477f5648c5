//! Landlords are strangers: what is another's does not exist, and a tampered cache does not change that.

use serde_json::{Value, json};

use crate::support::{Answer, Cache, NOWHERE, Tenant, payment_path, payments_path, property_path, trials, world};

trials![
    two_landlords_with_the_same_data_see_their_own,
    another_tenants_ids_answer_as_unknown_ids,
    another_tenants_ids_answer_as_unknown_ids_from_a_warm_cache,
    tenants_whose_ids_begin_alike_are_kept_apart,
    another_tenants_property_in_the_cache_is_not_shown,
    another_tenants_property_list_in_the_cache_is_not_shown,
    another_tenants_payment_in_the_cache_is_not_shown,
    another_tenants_payment_list_in_the_cache_is_not_shown,
    one_page_of_another_tenants_list_in_the_cache_is_not_shown,
    a_value_under_another_key_of_ones_own_is_not_shown,
    another_tenants_value_is_not_shown_under_any_key,
    garbage_in_the_cache_is_a_miss,
    a_value_cut_off_in_the_cache_is_a_miss,
    a_key_of_the_wrong_type_is_a_miss,
    a_poisoned_key_does_not_hinder_writes,
    an_abandoned_lock_does_not_stop_reads,
    a_lock_of_the_wrong_type_does_not_stop_reads,
];

/// A landlord with a property and a payment whose texts name their owner.
pub struct Place {
    /// The landlord.
    pub who: Tenant,
    mark: String,
    /// The property's id.
    pub property: String,
    payment: String,
}

impl Place {
    fn new(mark: &str) -> Place {
        let who = world().tenant();
        let property = who.property(&json!({ "address": mark }));
        let mut body = who.cash(100);
        body["notes"] = mark.into();
        let payment = who.payment(&property, &body);
        Place { who, mark: mark.into(), property, payment }
    }

    /// The routes and the keys that serve them.
    fn cached(&self) -> [(String, String); 4] {
        let key = |rest: String| world().key(&self.who, &rest);
        [
            (property_path(&self.property), key(format!("property:{}", self.property))),
            ("/api/properties".into(), key("property:list".into())),
            (payments_path(&self.property), key(format!("property:{}:payments:list", self.property))),
            (payment_path(&self.property, &self.payment), key(format!("payment:{}", self.payment))),
        ]
    }

    /// Reads all routes, so that all keys are there.
    fn warm(self) -> Place {
        for (route, _) in self.cached() {
            self.who.get(&route).is(200);
            assert_eq!(self.who.get(&route).is(200).cache(), Cache::Hit);
        }
        self
    }

    /// The answer is this landlord's.
    #[track_caller]
    pub fn owns(&self, answer: &Answer) {
        assert_eq!(answer.status, 200, "{answer}");
        assert!(answer.text().contains(&self.mark), "not {}'s: {answer}", self.mark);
        let _: Value = answer.json();
    }
}

/// Alice and Bob, all that is theirs cached.
pub fn two() -> (Place, Place) {
    (Place::new("Alice's own").warm(), Place::new("Bob's own").warm())
}

fn two_landlords_with_the_same_data_see_their_own() {
    let (one, two) = (Place::new("same"), Place::new("same"));
    for (place, other) in [(&one, &two), (&two, &one)] {
        for _ in ["miss", "hit"] {
            assert_eq!(place.who.ids("/api/properties"), [place.property.as_str()]);
            assert_eq!(place.who.ids("/api/properties?searchTerm=same"), [place.property.as_str()]);
            assert_eq!(place.who.ids(&payments_path(&place.property)), [place.payment.as_str()]);
            place.who.get(&property_path(&other.property)).problem(404);
        }
    }
    one.who.delete(&property_path(&one.property)).is(204);
    assert_eq!(two.who.ids("/api/properties"), [two.property.as_str()]);
    two.who.get(&payment_path(&two.property, &two.payment)).is(200);
}

/// Each request that can name a property or a payment, made with these ids.
fn probes(who: &Tenant, property: &str, payment: &str) -> Vec<Answer> {
    let (one, list, single) = (property_path(property), payments_path(property), payment_path(property, payment));
    let (address, cash) = (json!({ "address": "x" }), who.cash(1));
    let conditional = |method: &str, path: &str, body: &Value| {
        who.request(method, path).header("If-Match", r#""1""#).json(body).send()
    };
    let head = |path: &str| who.request("HEAD", path).send();
    vec![
        who.get(&one),
        who.get(&list),
        who.get(&single),
        head(&one),
        head(&list),
        head(&single),
        who.put(&one, &address),
        who.put(&one, &json!({ "address": "x", "rowVersion": 9 })),
        who.put(&one, &json!({})),
        conditional("PUT", &one, &address),
        who.post(&list, &cash),
        who.post(&list, &json!({})),
        who.put(&single, &cash),
        who.put(&single, &json!({})),
        conditional("PUT", &single, &cash),
        conditional("DELETE", &one, &Value::Null),
        conditional("DELETE", &single, &Value::Null),
        who.delete(&single),
        who.delete(&one),
    ]
}

/// Headers that differ from one answer to the next, whatever was asked.
const CHANGING: [&str; 3] = ["date", "cache-status", "server-timing"];

/// What an answer says, without the ids that were asked for, and without what differs from one to the next.
fn told(answer: &Answer, ids: &[&str]) -> (u16, String, Vec<(String, String)>) {
    let blank = |text: String| ids.iter().fold(text, |text, id| text.replace(id, "ID"));
    let headers = answer.headers.iter().filter(|(name, _)| !CHANGING.contains(&name.as_str()));
    (answer.status, blank(answer.text()), headers.cloned().collect())
}

#[track_caller]
fn nothing_is_told(owner: &Place, prober: &Tenant) {
    let theirs = probes(prober, &owner.property, &owner.payment);
    let unknown = probes(prober, NOWHERE, NOWHERE);
    for (theirs, unknown) in theirs.iter().zip(&unknown) {
        assert_eq!(theirs.status, 404, "{theirs}");
        let ids = [owner.property.as_str(), owner.payment.as_str(), NOWHERE];
        assert_eq!(told(theirs, &ids), told(unknown, &ids), "{}", theirs.asked);
    }
    owner.owns(&owner.who.get(&property_path(&owner.property)));
    owner.owns(&owner.who.get(&payment_path(&owner.property, &owner.payment)));
}

fn another_tenants_ids_answer_as_unknown_ids() {
    nothing_is_told(&Place::new("Alice's own"), &world().tenant());
}

fn another_tenants_ids_answer_as_unknown_ids_from_a_warm_cache() {
    let owner = Place::new("Alice's own").warm();
    let prober = Place::new("Bob's own").warm();
    nothing_is_told(&owner, &prober.who);
    // Another's payment under one's own property, and one's own payment under another's property.
    prober.who.get(&payment_path(&prober.property, &owner.payment)).problem(404);
    prober.who.get(&payment_path(&owner.property, &prober.payment)).problem(404);
    prober.who.put(&payment_path(&prober.property, &owner.payment), &prober.who.cash(1)).problem(404);
    prober.who.delete(&payment_path(&prober.property, &owner.payment)).problem(404);
}

fn tenants_whose_ids_begin_alike_are_kept_apart() {
    let base = world().tenant();
    let longer = world().tenant_named(&format!("{}-2", base.id));
    let other_case = world().tenant_named(&base.id.to_uppercase());
    base.property_at("base");
    longer.property_at("longer");
    for _ in ["miss", "hit"] {
        assert_eq!(base.column("/api/properties", "address"), ["base"]);
        assert_eq!(longer.column("/api/properties", "address"), ["longer"]);
        assert_eq!(other_case.column("/api/properties", "address"), Vec::<String>::new());
    }
    longer.property_at("longer 2");
    assert_eq!(base.get("/api/properties").is(200).cache(), Cache::Hit);
}

/// Puts Alice's bytes under Bob's key: Bob sees his own all the same, and then his own is cached again.
fn poison(number: usize) {
    let (alice, bob) = two();
    let (_, from) = &alice.cached()[number];
    let (route, to) = &bob.cached()[number];
    world().copy_key(from, to);
    let answer = bob.who.get(route);
    assert!(!answer.text().contains("Alice"), "shows another's data: {answer}");
    bob.owns(&answer);
    bob.owns(&bob.who.get(route));
}

fn another_tenants_property_in_the_cache_is_not_shown() {
    poison(0);
    // Under a key for Alice's id in Bob's name, where Bob has nothing.
    let (alice, bob) = two();
    let id = format!("property:{}", alice.property);
    world().copy_key(&world().key(&alice.who, &id), &world().key(&bob.who, &id));
    bob.who.get(&property_path(&alice.property)).problem(404);
    bob.who.put(&property_path(&alice.property), &json!({ "address": "stolen" })).problem(404);
}

fn another_tenants_property_list_in_the_cache_is_not_shown() {
    poison(1);
}

fn another_tenants_payment_list_in_the_cache_is_not_shown() {
    poison(2);
    let (alice, bob) = two();
    let id = format!("property:{}:payments:list", alice.property);
    world().copy_key(&world().key(&alice.who, &id), &world().key(&bob.who, &id));
    bob.who.get(&payments_path(&alice.property)).problem(404);
}

fn another_tenants_payment_in_the_cache_is_not_shown() {
    poison(3);
    let (alice, bob) = two();
    let id = format!("payment:{}", alice.payment);
    world().copy_key(&world().key(&alice.who, &id), &world().key(&bob.who, &id));
    bob.who.get(&payment_path(&alice.property, &alice.payment)).problem(404);
    bob.who.get(&payment_path(&bob.property, &alice.payment)).problem(404);
}

fn one_page_of_another_tenants_list_in_the_cache_is_not_shown() {
    for number in [1, 2] {
        let (alice, bob) = two();
        let (_, from) = &alice.cached()[number];
        let (route, to) = &bob.cached()[number];
        let mut redis = world().redis_connection();
        let pages: Vec<(Vec<u8>, Vec<u8>)> = redis::cmd("HGETALL").arg(from).query(&mut redis).expect("a hash");
        assert!(!pages.is_empty());
        for (field, page) in pages {
            let _: i64 = redis::cmd("HSET").arg(to).arg(field).arg(page).query(&mut redis).expect("HSET");
        }
        bob.owns(&bob.who.get(route));
    }
}

fn a_value_under_another_key_of_ones_own_is_not_shown() {
    let place = Place::new("first").warm();
    let second = place.who.property_at("second");
    place.who.get(&property_path(&second)).is(200);
    let first_key = world().key(&place.who, &format!("property:{}", place.property));
    world().copy_key(&first_key, &world().key(&place.who, &format!("property:{second}")));
    assert_eq!(place.who.get(&property_path(&second)).is(200).json()["address"], "second");
}

/// Every value of Alice's under every key of Bob's: as a whole, and for lists page by page under the name that Bob asks by.
fn another_tenants_value_is_not_shown_under_any_key() {
    let mut tried = 0;
    for number in 0..4 {
        let (alice, bob) = two();
        let (_, from) = &alice.cached()[number];
        for (route, to) in &bob.cached() {
            world().copy_key(from, to);
            let answer = bob.who.get(route);
            assert!(!answer.text().contains("Alice"), "shows another's data: {answer}");
            bob.owns(&answer);
            tried += 1;
        }
    }
    println!("values of another landlord under one's own keys: {tried} tried, 0 got through");
}

/// Replaces the value of each key by what `spoil` makes of it; the answers stay right.
fn spoiled(spoil: impl Fn(&[u8]) -> Vec<u8>) {
    let place = Place::new("Alice's own").warm();
    let mut redis = world().redis_connection();
    for (route, key) in place.cached() {
        let kind: String = redis::cmd("TYPE").arg(&key).query(&mut redis).expect("TYPE");
        if kind == "hash" {
            let pages: Vec<(Vec<u8>, Vec<u8>)> = redis::cmd("HGETALL").arg(&key).query(&mut redis).expect("a hash");
            for (field, page) in pages {
                let _: i64 = redis::cmd("HSET").arg(&key).arg(field).arg(spoil(&page)).query(&mut redis).expect("HSET");
            }
        } else {
            let value: Vec<u8> = redis::cmd("GET").arg(&key).query(&mut redis).expect("a string");
            let _: String =
                redis::cmd("SET").arg(&key).arg(spoil(&value)).arg("KEEPTTL").query(&mut redis).expect("SET");
        }
        for _ in ["spoilt", "again"] {
            place.owns(&place.who.get(&route));
        }
    }
}

fn garbage_in_the_cache_is_a_miss() {
    for garbage in ["", "garbage", "{}", "null", "\u{0}\u{0}\u{0}\u{0}", "{\"id\":1", "0", "OK"] {
        spoiled(|_| garbage.as_bytes().to_vec());
    }
    spoiled(|value| value.iter().map(|byte| !byte).collect());
    spoiled(|_| vec![0xff; 100_000]);
}

fn a_value_cut_off_in_the_cache_is_a_miss() {
    spoiled(|value| value[..value.len() / 2].to_vec());
    spoiled(|value| value[..value.len() - 1].to_vec());
    spoiled(|value| value[1..].to_vec());
}

/// Makes every key of this landlord one of a type that nothing expects.
fn mistype(place: &Place) {
    for (_, key) in place.cached() {
        let _: i64 = world().redis_command(&["DEL", &key]);
        let _: i64 = world().redis_command(&["RPUSH", &key, "x"]);
        let _: i64 = world().redis_command(&["EXPIRE", &key, "300"]);
    }
}

fn a_key_of_the_wrong_type_is_a_miss() {
    let place = Place::new("Alice's own").warm();
    mistype(&place);
    for (route, _) in place.cached() {
        for _ in ["mistyped", "again"] {
            place.owns(&place.who.get(&route));
        }
    }
}

fn a_poisoned_key_does_not_hinder_writes() {
    let place = Place::new("Alice's own").warm();
    mistype(&place);
    let (property, payment) = (property_path(&place.property), payment_path(&place.property, &place.payment));
    let who = &place.who;
    who.put(&property, &json!({ "address": "Alice's own, moved" })).is(200);
    who.put(&payment, &who.cash(777)).is(204);
    assert_eq!(who.get(&property).is(200).json()["address"], "Alice's own, moved");
    assert_eq!(who.get("/api/properties").is(200).json()["items"][0]["address"], "Alice's own, moved");
    assert_eq!(who.get(&payment).is(200).json()["amount"], 777);
    assert_eq!(who.get(&payments_path(&place.property)).is(200).json()["items"][0]["amount"], 777);
    mistype(&place);
    who.delete(&property).is(204);
    who.get(&property).problem(404);
    who.get(&payment).problem(404);
}

/// Takes the lock of every cold key in this way: reads are answered nevertheless.
fn locked(take: &[&str]) {
    let place = Place::new("Alice's own");
    for (route, key) in place.cached() {
        let lock = format!("lock:{key}");
        let command: Vec<&str> = take.iter().map(|word| if *word == "KEY" { lock.as_str() } else { word }).collect();
        let _: redis::Value = world().redis_command(&command);
        place.owns(&place.who.get(&route));
        let _: i64 = world().redis_command(&["DEL", &lock]);
        place.owns(&place.who.get(&route));
    }
}

fn an_abandoned_lock_does_not_stop_reads() {
    locked(&["SET", "KEY", "someone who died", "EX", "300"]);
    locked(&["SET", "KEY", "someone who will never end"]);
}

fn a_lock_of_the_wrong_type_does_not_stop_reads() {
    locked(&["RPUSH", "KEY", "x"]);
}
