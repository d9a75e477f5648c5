//! Redis by the REST protocol of Upstash: what goes over it, and what is different from a connection. That everything else
//! is the same is shown by the whole suite, which runs that way too (`RENTTRACKER_REDIS=upstash`).

use crate::world::{Cache, Place, Private, eventually, trials};
use crate::world::way::TOKEN;
use stack::Redis;
use upstash::Double;

trials![a_hit_is_one_request];

/// A world that goes by REST to a double in front of its Redis.
fn by_rest(changes: &[(&str, &str)]) -> (Private, Double) {
    let redis = Redis::start(&crate::world::scratch("redis")).expect("Redis starts");
    let double = Double::start(&redis.url(), TOKEN).expect("the double serves");
    let own = Private::by_rest(redis, &double, changes);
    (own, double)
}

fn a_hit_is_one_request() {
    let (own, double) = by_rest(&[]);
    let place = Place::of(own.tenant());
    let cs = crate::world::together(6, |_| place.who.get(&place.property_path()).is(200).cache());
    println!("{cs:?}");
    let cs = crate::world::together(6, |_| place.who.get(&place.property_path()).is(200).cache());
    println!("{cs:?} {}", std::fs::read_to_string(own.log()).unwrap());
    for route in place.routes() {
        for _ in 0..4 {
            let before = (double.requests(), double.commands());
            let answer = place.who.get(&route).is(200);
            println!("{:?} {} {:?} {:?}", answer.cache(), answer.needs("server-timing"), double.requests() - before.0, double.commands());
        }
    }
}
