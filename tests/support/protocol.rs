//! How the components reach Redis in this run: by its own protocol, or, with `RENTTRACKER_REDIS=upstash`, by the REST protocol
//! of Upstash, for which a double stands before every Redis; or, with `RENTTRACKER_REDIS_CLUSTER` set, every Redis is in cluster mode. The tests themselves look into Redis directly.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use upstash::Double;

/// Of every double; base64, as Upstash's tokens are.
pub const TOKEN: &str = "AYNgASQgZTc3+of-the-suites/ZDk4NTk=";

static DOUBLES: Mutex<BTreeMap<String, Double>> = Mutex::new(BTreeMap::new());

/// Whether this run goes by REST.
pub fn is_rest() -> bool {
    std::env::var("RENTTRACKER_REDIS").is_ok_and(|protocol| protocol == "upstash")
}

/// Whether every Redis of this run is in cluster mode (`cargo xtask test --redis cluster`).
pub fn is_cluster() -> bool {
    std::env::var_os(stack::REDIS_CLUSTER).is_some()
}

/// What the keys of a deployment with these variables begin with.
pub fn key_prefix(variables: &BTreeMap<String, String>) -> String {
    let name = variables.get("redis_instance_name").map_or("RentTracker_", String::as_str);
    let has_hash_tag = variables.get("redis_hash_tags").is_some_and(|value| value == "true");
    if has_hash_tag { format!("{{{name}}}") } else { name.into() }
}

/// Points a host whose variables name a Redis at that Redis's double, where the run goes by REST.
pub fn point_at_double(variables: &mut BTreeMap<String, String>) {
    let Some(url) = variables.get("redis_url").filter(|url| is_rest() && url.starts_with("redis://")).cloned() else {
        return;
    };
    let mut doubles = DOUBLES.lock().unwrap_or_else(PoisonError::into_inner);
    let double = doubles.entry(url).or_insert_with_key(|url| Double::start(url, TOKEN).expect("the double serves"));
    for (name, value) in [("redis_url", double.url()), ("redis_address", double.url()), ("redis_token", TOKEN.into())] {
        variables.insert(name.into(), value);
    }
}
