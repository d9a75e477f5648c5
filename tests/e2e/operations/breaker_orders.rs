//! What an operator orders of the breaker.

use serde_json::{Value, json};

use crate::support::outages::BRISK;
use crate::support::{Cache, Place, Private, World, eventually, trials, world};

trials![
    only_an_administrator_sees_and_orders,
    an_invalid_order_is_400,
    forced_open_sends_redis_nothing_and_auto_uses_it_again,
    a_write_while_forced_open_is_never_followed_by_a_stale_read,
    forced_closed_without_redis_fails_nothing_and_shows_nothing_stale,
    observe_mode_logs_what_the_breaker_would_have_done,
];

const BREAKER: &str = "/api/cache/breaker";
fn order(world: &World, mode: &str) -> Value {
    world.administrator().put(BREAKER, &json!({ "mode": mode })).is(200).json()
}

/// A landlord whose property is a hit.
fn warm(own: &Private) -> Place {
    let place = Place::of(own.tenant());
    used_again(&place, "1 Main St");
    place
}

/// Asks until the cache is used; on the way and then every answer shows `address`.
#[track_caller]
fn used_again(place: &Place, address: &str) {
    eventually("the property is a hit", || {
        let answer = place.who.get(&place.property_path()).is(200);
        assert_eq!(answer.json()["address"], address);
        (answer.cache() == Cache::Hit).then_some(())
    });
}

/// A connection of the trial's own, and the count of commands that Redis has processed, this question among them.
struct Counter(redis::Connection);

impl Counter {
    fn of(own: &Private) -> Counter {
        let client = redis::Client::open(own.redis_url.as_str()).expect("an address");
        Counter(client.get_connection().expect("Redis answers"))
    }

    /// The commands of others since the last count.
    fn commands_during(&mut self, work: impl FnOnce()) -> u64 {
        let before = self.total();
        work();
        self.total() - before - 1
    }

    fn total(&mut self) -> u64 {
        let info: redis::InfoDict = redis::cmd("INFO").arg("stats").query(&mut self.0).expect("INFO");
        info.get("total_commands_processed").expect("a count")
    }
}

fn only_an_administrator_sees_and_orders() {
    let who = world().tenant();
    world().get(BREAKER).is(401);
    world().request("PUT", BREAKER).json(&json!({ "mode": "auto" })).send().is(401);
    who.get(BREAKER).problem(403);
    who.put(BREAKER, &json!({ "mode": "auto" })).problem(403);
    world().administrator().delete(BREAKER).is(405);
    let told = world().administrator().get(BREAKER).is(200).json();
    for member in ["state", "mode", "since", "reason", "failedProbes", "isSuspected", "epoch"] {
        assert!(!told[member].is_null(), "{member} is missing in {told}");
    }
}

fn an_invalid_order_is_400() {
    let operator = world().administrator();
    for body in
        [json!({}), json!({ "mode": "closed" }), json!({ "mode": 1 }), json!([]), json!({ "mode": "auto", "x": 1 })]
    {
        operator.put(BREAKER, &body).problem(400);
    }
    operator.request("PUT", BREAKER).body("mode=auto").send().is(415);
    assert_eq!(operator.get(BREAKER).is(200).json()["mode"], "auto");
}

pub fn forced_open_sends_redis_nothing_and_auto_uses_it_again() {
    let own = Private::with(&BRISK);
    let place = warm(&own);
    let told = order(&own, "forced_open");
    assert_eq!((told["state"].as_str(), told["mode"].as_str()), (Some("open"), Some("forced_open")));
    let mut redis = Counter::of(&own);
    let read_and_write = || {
        place.routes().iter().for_each(|route| {
            place.who.get(route).is(200);
        });
        place.who.put(&place.payment_path(), &place.who.cash(7)).is(204);
    };
    // Each instance that read the record before the order may use Redis until its lease ends, one that writes too.
    eventually("reads and a write leave Redis alone", || (redis.commands_during(read_and_write) == 0).then_some(()));
    let sent = redis.commands_during(|| (0..20).for_each(|_| read_and_write()));
    assert_eq!(sent, 0, "20 rounds of reads and a write sent Redis {sent} commands");

    order(&own, "auto");
    used_again(&place, "1 Main St");
}

pub fn a_write_while_forced_open_is_never_followed_by_a_stale_read() {
    let own = Private::with(&BRISK);
    let place = warm(&own);
    order(&own, "forced_open");
    place.who.put(&place.property_path(), &json!({ "address": "new address" })).is(200);
    assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "new address");
    order(&own, "auto");
    used_again(&place, "new address");
}

fn forced_closed_without_redis_fails_nothing_and_shows_nothing_stale() {
    let mut own = Private::with(&BRISK);
    let place = warm(&own);
    assert_eq!(order(&own, "forced_closed")["state"], "closed");
    own.redis().pause();
    for _ in 0..10 {
        place.who.get(&place.property_path()).is(200);
    }
    assert_eq!(own.administrator().get(BREAKER).is(200).json()["state"], "closed", "failures are not heeded");
    place.who.put(&place.property_path(), &json!({ "address": "new address" })).is(200);
    own.redis().resume();
    used_again(&place, "new address");
    assert_eq!(own.administrator().get(BREAKER).is(200).json()["mode"], "forced_closed");
}

fn observe_mode_logs_what_the_breaker_would_have_done() {
    let mut own = Private::with(&BRISK);
    let place = warm(&own);
    order(&own, "observe");
    own.redis().pause();
    eventually("the log says so", || {
        place.who.get(&place.property_path()).is(200);
        let log = std::fs::read_to_string(own.log()).expect("a log");
        log.contains("breaker.would_open").then_some(())
    });
    assert_eq!(own.administrator().get(BREAKER).is(200).json()["state"], "closed");
    own.redis().resume();
    used_again(&place, "1 Main St");
}
