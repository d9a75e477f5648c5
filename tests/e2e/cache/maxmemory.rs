//! A Redis whose memory is full: what it may forget, and what becomes of fences. The policy is that of
//! `infra/redis/redis.conf`, which says why.

use serde_json::json;
use stack::Redis;

use crate::support::{Cache, Place, Private, World, eventually, scratch, trials};

trials![
    a_fence_survives_a_full_redis,
    a_full_redis_answers_hits_and_accepts_fences,
    every_evicting_policy_loses_a_fence,
];

const FENCE: &str = include_str!("../../../components/shared/cache/src/redis/scripts/fence.lua");
const UNFENCE: &str = include_str!("../../../components/shared/cache/src/redis/scripts/unfence.lua");
const WRITE: &str = "0199c0de-0000-7000-8000-000000000001";
/// As long as that of a write (`FENCE_MS`).
const FENCE_MS: &str = "23000";

/// How much room the flood finds, in bytes, and of what it consists.
const ROOM: usize = 1 << 20;
const DROP: usize = 10_000;
/// Twenty times the room: no key of a Redis that evicts is still there by chance.
const DROPS: usize = 20 * ROOM / DROP;

/// What `redis.conf` says of this.
pub fn setting(name: &str) -> String {
    let path = stack::repository_root().join("infra/redis/redis.conf");
    let text = std::fs::read_to_string(path).expect("redis.conf");
    let value = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"));
    value.trim().to_owned()
}

fn connection(url: &str) -> redis::Connection {
    redis::Client::open(url).expect("a URL").get_connection().expect("Redis answers")
}

/// Leaves room for [`ROOM`] more bytes and sends much more, as entries are: with the time to live of a value. How many of
/// them were refused.
fn flood(url: &str, policy: &str) -> usize {
    let mut connection = connection(url);
    let info: String = redis::cmd("INFO").arg("memory").query(&mut connection).expect("INFO");
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse::<usize>().ok());
    let limit = (used.expect("used_memory") + ROOM).to_string();
    for (name, value) in [("maxmemory-policy", policy), ("maxmemory", &limit)] {
        redis::cmd("CONFIG").arg(&["SET", name, value]).query::<()>(&mut connection).expect("CONFIG SET");
    }
    let drop = "x".repeat(DROP);
    let refused = |number: &usize| {
        let key = format!("RentTracker_flood:payment:{number}");
        let answer = redis::cmd("SET").arg(&[&key, &drop, "PX", "600000"]).query::<()>(&mut connection);
        answer.is_err_and(|error| error.code() == Some("OOM"))
    };
    (0..DROPS).filter(refused).count()
}

fn script(connection: &mut redis::Connection, text: &str, value: &str, arguments: &[&str]) {
    let prefix = if value.starts_with('{') { "{RentTracker_}" } else { "RentTracker_" };
    let (lock, leases) = (format!("lock:{value}"), format!("{prefix}~leases"));
    let keys = if text == FENCE { vec![value, &lock, &leases] } else { vec![value, &lock] };
    let mut command = redis::cmd("EVAL");
    command.arg(text).arg(keys.len()).arg(keys).arg(arguments);
    command.query::<redis::Value>(connection).expect("the script runs");
}

fn has_fence(connection: &mut redis::Connection, value: &str) -> bool {
    let field = format!("fence:{WRITE}");
    redis::cmd("HEXISTS").arg(format!("lock:{value}")).arg(field).query(connection).expect("HEXISTS")
}

fn property_key(world: &World, place: &Place) -> String {
    world.key(&place.who, &format!("property:{}", place.property))
}

fn a_fence_survives_a_full_redis() {
    let own = Private::start();
    let place = Place::of(own.tenant());
    let (path, key) = (place.property_path(), property_key(&own, &place));
    eventually("a hit", || (place.who.get(&path).is(200).cache() == Cache::Hit).then_some(()));
    let mut redis = own.redis_connection();
    script(&mut redis, FENCE, &key, &[WRITE, FENCE_MS]);
    flood(&own.redis_url, &setting("maxmemory-policy"));
    assert!(has_fence(&mut redis, &key), "the fence of a write that is under way is gone");
    // Whoever reads now may be reading what the write is about to replace.
    for _ in 0..5 {
        assert_ne!(place.who.get(&path).is(200).cache(), Cache::Stored);
    }
    let stored: bool = redis::cmd("EXISTS").arg(&key).query(&mut redis).expect("EXISTS");
    assert!(!stored);
    script(&mut redis, UNFENCE, &key, &[WRITE]);
}

fn a_full_redis_answers_hits_and_accepts_fences() {
    let own = Private::start();
    let [kept, changed] = [Place::of(own.tenant()), Place::of(own.tenant())];
    for place in [&kept, &changed] {
        eventually("a hit", || (place.who.get(&place.property_path()).is(200).cache() == Cache::Hit).then_some(()));
    }
    let refused = flood(&own.redis_url, &setting("maxmemory-policy"));
    assert!(refused > 0, "it was never full");
    for number in 0..5 {
        let address = format!("{number} Full St");
        changed.who.put(&changed.property_path(), &json!({ "address": address })).is(200);
        assert_eq!(changed.who.get(&changed.property_path()).is(200).json()["address"], address);
    }
    assert_eq!(kept.who.get(&kept.property_path()).is(200).cache(), Cache::Hit);
    // A write whose fence is refused takes the cache out of use.
    assert_eq!(own.administrator().get("/api/cache/breaker").is(200).json()["state"], "closed");
}

/// Makes it the least used of all, as a fence is beside entries that are read all the time.
fn be_hardly_used(connection: &mut redis::Connection, key: &str) {
    let bytes: Vec<u8> = redis::cmd("DUMP").arg(key).query(connection).expect("DUMP");
    let mut restore = redis::cmd("RESTORE");
    restore.arg(key).arg(FENCE_MS).arg(bytes).arg(&["REPLACE", "FREQ", "0"]);
    restore.query::<()>(connection).expect("RESTORE");
}

/// Why none of them is in `redis.conf`.
fn every_evicting_policy_loses_a_fence() {
    for policy in [
        "volatile-ttl",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
    ] {
        let redis = Redis::start(&scratch("redis")).expect("Redis starts");
        let mut connection = connection(&redis.url());
        // Before there is a key: what an LRU notes of one would be read as how often it was used, on some dates as often.
        redis::cmd("CONFIG")
            .arg(&["SET", "maxmemory-policy", policy])
            .query::<()>(&mut connection)
            .expect("CONFIG SET");
        script(&mut connection, FENCE, "{RentTracker_}t:property:1", &[WRITE, FENCE_MS]);
        if policy.ends_with("lfu") {
            be_hardly_used(&mut connection, "lock:{RentTracker_}t:property:1");
        }
        assert!(has_fence(&mut connection, "{RentTracker_}t:property:1"));
        assert_eq!(flood(&redis.url(), policy), 0, "{policy} refuses nothing");
        assert!(!has_fence(&mut connection, "{RentTracker_}t:property:1"), "{policy} has kept it");
    }
}
