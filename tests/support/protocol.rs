//! How the components reach Redis in this run: by its own protocol, or, with `RENTTRACKER_REDIS=upstash`, by the REST protocol
//! of Upstash, for which a double stands before every Redis. The tests themselves look into Redis directly.

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
