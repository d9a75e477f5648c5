//! A Redis as in production whose disk is full: its append-only file cannot be written, so it refuses every change.

use serde_json::{Value, json};
use stack::Redis;

use crate::support::{Cache, Place, Private, World, eventually, property_path, scratch, trials};

trials![
    with_a_full_disk_no_request_fails_and_free_space_is_enough_to_recover,
    without_its_append_only_file_a_redis_with_a_full_disk_is_used_again,
];

const PROMETHEUS: &str = r#"renttracker_redis_disk_ok{file="aof"}"#;

/// A world on a Redis with `infra/redis/redis.conf`, with a breaker that tries again soon.
fn own() -> Private {
    let redis = Redis::start_as_in_production(&scratch("redis"), 0, "").expect("Redis starts");
    Private::on_redis(redis, &[("breaker_reset_seconds", "1"), ("breaker_max_reset_seconds", "1")])
}

/// A landlord whose property is cached.
fn cached(own: &Private) -> Place {
    let place = Place::of(own.tenant());
    eventually("a hit", || (place.who.get(&place.property_path()).is(200).cache() == Cache::Hit).then_some(()));
    place
}

fn told(own: &World) -> Value {
    own.administrator().get("/api/health").is(200).json()
}

fn ping(own: &World) -> Result<String, redis::RedisError> {
    redis::cmd("PING").query(&mut own.redis_connection())
}

/// Fills the disk, and has Redis notice: the file is written when something has changed.
fn fill(own: &mut Private) {
    own.redis().fill_disk(true).expect("a full disk");
    eventually("Redis refuses to change anything", || {
        let key = format!("{}~full", own.instance);
        let answer = redis::cmd("SET").arg(&[&key, "x", "PX", "60000"]).query::<()>(&mut own.redis_connection());
        answer.is_err_and(|error| error.code() == Some("MISCONF")).then_some(())
    });
}

fn is_degraded(own: &World) {
    let reason = eventually("health tells of it", || {
        let told = told(own);
        (told["status"] == "Degraded").then(|| told["reason"].as_str().expect("a reason").to_owned())
    });
    assert!(reason.contains("MISCONF") && reason.contains("AOF"), "{reason}");
    assert_eq!(own.metric(PROMETHEUS), 0);
}

fn with_a_full_disk_no_request_fails_and_free_space_is_enough_to_recover() {
    let mut own = own();
    let [kept, changed] = [cached(&own), cached(&own)];
    let epoch = told(&own)["epoch"].clone();
    fill(&mut own);
    is_degraded(&own);
    // Sentinel takes that for no answer.
    assert!(ping(&own).is_err_and(|error| error.code() == Some("MISCONF")));

    // Reads: what is there is read on, what is not is not stored.
    for _ in 0..3 {
        assert_eq!(kept.who.get(&kept.property_path()).is(200).cache(), Cache::Hit);
        assert_eq!(kept.who.get(&kept.payment_path()).is(200).cache(), Cache::Bypass);
    }
    assert_eq!(told(&own)["breaker"]["state"], "closed", "an answer is no failure");

    // Writes: the first takes the cache out of use, since it can neither fence nor invalidate.
    for number in 0..5 {
        let address = format!("{number} Full St");
        changed.who.put(&changed.property_path(), &json!({ "address": address })).is(200);
        let answer = changed.who.get(&changed.property_path()).is(200);
        assert_eq!((answer.json()["address"].as_str(), answer.cache()), (Some(&*address), Cache::Bypass));
        let new = changed.who.property_at(&address);
        assert_eq!(changed.who.get(&property_path(&new)).is(200).json()["address"], address);
    }
    assert_ne!(told(&own)["breaker"]["state"], "closed");
    assert_eq!(own.query("SELECT FROM cache_invalidations", &[]).len(), 10, "each waits to be made up for");
    // A probe cannot make up for them either, so that the old entry is never let in again.
    eventually("a probe has failed", || {
        let answer = changed.who.get(&changed.property_path()).is(200);
        assert_eq!((answer.json()["address"].as_str(), answer.cache()), (Some("4 Full St"), Cache::Bypass));
        (told(&own)["breaker"]["failedProbes"].as_u64() > Some(0)).then_some(())
    });

    own.redis().fill_disk(false).expect("room");
    eventually("the cache is used again", || {
        let answer = changed.who.get(&changed.property_path()).is(200);
        assert_eq!(answer.json()["address"], "4 Full St");
        (answer.cache() == Cache::Hit).then_some(())
    });
    let now = told(&own);
    assert_eq!((&now["status"], &now["epoch"]), (&json!("Healthy"), &epoch), "{now}");
    assert_eq!(kept.who.get(&kept.property_path()).is(200).cache(), Cache::Hit, "it had never been invalidated");
    assert_eq!(own.metric(PROMETHEUS), 1);
}

/// What the guide says to do at once.
fn without_its_append_only_file_a_redis_with_a_full_disk_is_used_again() {
    let mut own = own();
    let place = cached(&own);
    let epoch = told(&own)["epoch"].clone();
    fill(&mut own);
    is_degraded(&own);
    let _: () = own.redis_command(&["CONFIG", "SET", "appendonly", "no"]);
    assert_eq!(ping(&own).expect("an answer"), "PONG");
    eventually("all is well", || (told(&own)["status"] == "Healthy").then_some(()));
    assert_eq!(place.who.get(&place.payment_path()).is(200).cache(), Cache::Stored);
    place.who.put(&place.property_path(), &json!({ "address": "2 Main St" })).is(200);
    let now = told(&own);
    assert_eq!((&now["breaker"]["state"], &now["epoch"]), (&json!("closed"), &epoch), "{now}");
    assert_eq!(place.who.get(&place.property_path()).is(200).json()["address"], "2 Main St");
}
