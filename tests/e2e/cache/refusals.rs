//! A Redis that answers and refuses: the breaker has nothing against it, no request fails, and health says so.

use std::thread;

use serde_json::{Value, json};
use stack::Redis;

use crate::support::{Cache, Place, Private, World, eventually, scratch, trials};

trials![
    health_tells_of_a_redis_that_is_busy_with_anothers_script,
    health_tells_of_a_redis_that_cannot_save,
    health_tells_of_a_redis_without_its_replicas,
    health_tells_of_a_user_that_may_not_do_everything,
    health_tells_of_a_redis_that_is_full,
    health_tells_of_a_redis_that_became_a_replica,
    health_tells_of_a_redis_that_is_loading,
];

fn order(own: &World, words: &[&str]) {
    let answer: redis::Value = own.redis_command(words);
    assert_ne!(answer, redis::Value::Nil, "{words:?}");
}

/// All of health, for an administrator.
fn told(own: &World) -> Value {
    own.administrator().get("/api/health").is(200).json()
}

/// Whether health says nothing is wrong.
fn is_healthy(own: &World) -> Option<()> {
    let told = told(own);
    (told["status"] == "Healthy" && told["reason"].is_null()).then_some(())
}

/// Has Redis refuse with `code`, and mended by `mend`. Health says meanwhile why; what is not cached is answered, without the
/// cache; the breaker stays as it is; and who is no administrator is told two words.
#[track_caller]
fn refuses(own: &Private, name: &str, says: &str, begin: impl FnOnce(), mend: impl FnOnce()) {
    let place = Place::of(own.tenant());
    let path = place.property_path();
    eventually("the cache is used", || (place.who.get("/api/properties").is(200).cache() == Cache::Hit).then_some(()));
    eventually("all is well", || is_healthy(own));
    begin();
    let reason = eventually(&format!("health tells of {name}"), || {
        let told = told(own);
        (told["status"] == "Degraded").then(|| told["reason"].as_str().expect("a reason").to_owned())
    });
    assert!(reason.contains(says), "{reason:?} says nothing of {says:?}");
    assert!(!reason.contains("user_script") && !reason.contains("RentTracker_"), "{reason}");
    let anybodys = json!({ "status": "Degraded", "database": "Connected" });
    assert_eq!(own.get("/api/health").is(200).json(), anybodys);
    for _ in 0..5 {
        assert_eq!(place.who.get(&path).is(200).cache(), Cache::Bypass);
    }
    let told = told(own);
    assert_eq!(
        (&told["redis"]["status"], &told["breaker"]["state"]),
        (&json!("Connected"), &json!("closed")),
        "{told}"
    );
    let series = format!("renttracker_redis_refused_total{{reason=\"{name}\"}}");
    eventually(&format!("{series} counts"), || (own.metric(&series) > 0).then_some(()));
    mend();
    eventually("all is well again", || is_healthy(own));
    eventually("a hit", || (place.who.get(&path).is(200).cache() == Cache::Hit).then_some(()));
}

/// Redis answers others again when a script has run for as long as this (`busy-reply-threshold`, `lua-time-limit` before 7.0).
fn health_tells_of_a_redis_that_is_busy_with_anothers_script() {
    let own = Private::start();
    order(&own, &["CONFIG", "SET", "lua-time-limit", "50"]);
    let world: &World = &own;
    thread::scope(|scope| {
        let begin = || {
            scope.spawn(|| {
                let mut connection = world.redis_connection();
                let ended = redis::cmd("EVAL").arg("while true do end").arg(0).query::<()>(&mut connection);
                assert!(ended.is_err(), "it does not end by itself");
            });
        };
        refuses(&own, "busy", "BUSY", begin, || order(world, &["SCRIPT", "KILL"]));
    });
}

/// `stop-writes-on-bgsave-error` is Redis's default, and not what `redis.conf` says.
fn health_tells_of_a_redis_that_cannot_save() {
    let mut own = Private::start();
    let in_its_way = own.redis().dir().join("dump.rdb");
    let begin = || {
        std::fs::create_dir(&in_its_way).expect("a folder where the snapshot is to be");
        order(&own, &["CONFIG", "SET", "stop-writes-on-bgsave-error", "yes"]);
        order(&own, &["CONFIG", "SET", "save", "3600 1000000"]);
        order(&own, &["BGSAVE"]);
        let disk = r#"renttracker_redis_disk_ok{file="snapshot"}"#;
        eventually("the snapshot has failed", || (own.metric(disk) == 0).then_some(()));
    };
    let mend = || {
        std::fs::remove_dir(&in_its_way).expect("it is gone");
        order(&own, &["BGSAVE"]);
    };
    refuses(&own, "misconf", "MISCONF", begin, mend);
}

fn health_tells_of_a_redis_without_its_replicas() {
    let own = Private::start();
    let wants = |count| order(&own, &["CONFIG", "SET", "min-replicas-to-write", count]);
    refuses(&own, "noreplicas", "NOREPLICAS", || wants("1"), || wants("0"));
}

/// Also where the command is one of those that only a script runs; versions tell that otherwise than by `NOPERM`.
fn health_tells_of_a_user_that_may_not_do_everything() {
    let own = Private::start();
    // Where `evalsha` alone is forbidden, scripts are sent whole.
    let both: &[&str] = &["evalsha", "eval"];
    for (commands, says) in [(both, "NOPERM"), (&["hset"], "can't run this command")] {
        let may = |sign| {
            for command in commands {
                order(&own, &["ACL", "SETUSER", "default", &format!("{sign}{command}")]);
            }
        };
        let says = if is_told_by_name(&own) { commands[commands.len() - 1] } else { says };
        refuses(&own, "noperm", says, || may("-"), || may("+"));
    }
}

/// Since Redis 7.2 the command is named.
fn is_told_by_name(own: &World) -> bool {
    let info: String = own.redis_command(&["INFO", "server"]);
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).expect("a version");
    let mut parts = version.trim().split('.').map(|part| part.parse::<u32>().expect("a number"));
    (parts.next(), parts.next()) >= (Some(7), Some(2))
}

fn health_tells_of_a_redis_that_is_full() {
    let own = Private::start();
    let limit = |bytes| order(&own, &["CONFIG", "SET", "maxmemory", bytes]);
    refuses(&own, "oom", "OOM", || limit("1"), || limit("0"));
}

/// `REPLICAOF` leaves connections open, on which a script that would change something is refused.
fn health_tells_of_a_redis_that_became_a_replica() {
    let own = Private::start();
    let begin = || order(&own, &["REPLICAOF", "127.0.0.1", "1"]);
    let mend = || order(&own, &["REPLICAOF", "NO", "ONE"]);
    // A connection spells the code `ReadOnly`.
    refuses(&own, "readonly", "against a read only replica", begin, mend);
}

/// Enough to load that Redis answers others meanwhile, and slowly (`key-load-delay`, in microseconds: its own suite's setting).
fn health_tells_of_a_redis_that_is_loading() {
    let slow =
        ["--save", "3600 1000000", "--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024"];
    let redis = Redis::start_with(&scratch("redis"), 0, &slow).expect("Redis starts");
    // Looks at a Redis that is not back yet open no breaker.
    let mut own = Private::on_redis(redis, &[("breaker_threshold", "100")]);
    let fill = "for number = 1, 300 do \
        redis.call('SET', 'RentTracker_filler:payment:' .. number, string.rep('x', 1000), 'PX', 600000) end return 'done'";
    order(&own, &["EVAL", fill, "0"]);
    let place = Place::of(own.tenant());
    eventually("the cache is used", || (place.who.get("/api/properties").is(200).cache() == Cache::Hit).then_some(()));
    let seen: World = (*own).clone();
    thread::scope(|scope| {
        let restarted = scope.spawn(|| own.redis().restart().expect("Redis comes back"));
        eventually("health tells of it", || {
            let told = told(&seen);
            let reason = told["reason"].as_str().unwrap_or_default();
            (reason.contains("oading") && told["redis"]["status"] == "Connected").then_some(())
        });
        assert_eq!(place.who.get(&place.property_path()).is(200).cache(), Cache::Bypass);
        restarted.join().expect("it is loaded");
    });
    eventually("all is well again", || is_healthy(&seen));
    eventually("a hit", || (place.who.get(&place.property_path()).is(200).cache() == Cache::Hit).then_some(()));
}
