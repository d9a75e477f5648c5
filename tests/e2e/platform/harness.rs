//! The harness itself: what it says it would find, it finds.

use stack::Redis;

use crate::support::{leftovers, scratch, trials};

trials![stray_keys_are_found, stray_processes_are_found];

fn stray_keys_are_found() {
    let redis = Redis::start(&scratch("redis")).expect("Redis starts");
    let client = redis::Client::open(redis.url()).expect("a Redis URL");
    let mut connection = client.get_connection().expect("Redis answers");
    for (key, seconds) in [
        ("I_tenant-1:property:list", 600),
        ("lock:I_tenant-1:property:list", 5),
        ("I_~epoch", 900),
        ("I_tenant-1:payment:x", 901),
        ("I_:property:list", 5),
        ("I_ten ant:property:list", 5),
        ("Other_tenant-1:property:list", 5),
        ("lock:lock:I_tenant-1:property:list", 5),
        ("stray", 5),
    ] {
        let _: String = redis::cmd("SET").arg(key).arg("x").arg("EX").arg(seconds).query(&mut connection).expect("SET");
    }
    let _: String = redis::cmd("SET").arg("I_tenant-1:forever").arg("x").query(&mut connection).expect("SET");
    let found = leftovers::unruly_keys(&redis.url(), "I_").expect("Redis answers");
    let mut found: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap_or_default()).collect();
    found.sort_unstable();
    let expected = [
        "I_:property:list",
        "I_ten ant:property:list",
        "I_tenant-1:forever",
        "I_tenant-1:payment:x",
        "Other_tenant-1:property:list",
        "lock:lock:I_tenant-1:property:list",
        "stray",
    ];
    assert_eq!(found, expected);
}

fn stray_processes_are_found() {
    let folder = scratch("redis");
    let redis = Redis::start(&folder).expect("Redis starts");
    assert_eq!(leftovers::using(&folder).len(), 1);
    drop(redis);
    assert_eq!(leftovers::using(&folder), Vec::<String>::new());
}
