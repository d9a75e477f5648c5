//! Which way the components go to Redis in this run: by its own protocol, or, with `RENTTRACKER_REDIS=upstash`, by the REST
//! protocol of Upstash, of which a double then stands before every Redis. The tests themselves look into Redis directly.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use upstash::Double;

/// Of every double; base64, as Upstash's tokens are.
pub const TOKEN: &str = "AYNgASQgZTc3+of-the-suites/ZDk4NTk=";

/// Trials that say nothing of the REST protocol, by the beginning of their names, and why. They are told as ignored there.
const NATIVE_ALONE: &[(&str, &str)] = &[
    ("acl::", "users.acl is for a Redis of one's own; Upstash has users of its own making"),
    ("costs::", "the baseline counts commands and calls of a connection; requests are counted in rest::"),
    (
        "locks::a_lookup_that_is_answered_late_leaves_no_lock",
        "by REST the first look is a script too, so that none is late alone; the claim on a lock is the same code",
    ),
    ("locks::a_warming_that_is_answered_late_leaves_no_lock", "as above"),
    (
        "locks::a_leader_whose_connection_breaks_off_leaves_no_lock",
        "the double connects for each request, so that there is none to break off",
    ),
    ("tls::", "TLS of a connection, and the users of Redis; by REST it is the platform's HTTPS"),
    (
        "masters::a_replica_is_not_used",
        "Upstash says of no server what its role is; rest:: shows that none is read from",
    ),
    (
        "masters::a_master_that_has_been_a_replica_is_another_one",
        "Upstash says of no server that it took another's place: infra/deploy/README.md has what that costs",
    ),
    (
        "masters::a_promotion_that_redis_has_forgotten_is_another_one_all_the_same",
        "Upstash says of no server that it took another's place: infra/deploy/README.md has what that costs",
    ),
    ("unfit::", "a database of Upstash is led by Upstash, and has no INFO that says how"),
];

static DOUBLES: Mutex<BTreeMap<String, Double>> = Mutex::new(BTreeMap::new());

/// Whether this run goes by REST.
pub fn is_rest() -> bool {
    std::env::var("RENTTRACKER_REDIS").is_ok_and(|way| way == "upstash")
}

/// Leads a host whose variables name a Redis to that Redis's double, where the run goes by REST.
pub fn lead(variables: &mut BTreeMap<String, String>) {
    let Some(url) = variables.get("redis_url").filter(|url| is_rest() && url.starts_with("redis://")).cloned() else {
        return;
    };
    let mut doubles = DOUBLES.lock().unwrap_or_else(PoisonError::into_inner);
    let double = doubles.entry(url).or_insert_with_key(|url| Double::start(url, TOKEN).expect("the double serves"));
    for (name, value) in [("redis_url", double.url()), ("redis_address", double.url()), ("redis_token", TOKEN.into())] {
        variables.insert(name.into(), value);
    }
}

/// Why a trial is left out of this run.
pub fn does_not_apply(trial: &str) -> Option<&'static str> {
    let left_out = NATIVE_ALONE.iter().find(|(name, _)| is_rest() && trial.starts_with(name));
    left_out.map(|(_, reason)| *reason)
}

/// Names above that no trial has.
pub fn unknown<'a>(trials: impl Iterator<Item = &'a str> + Clone) -> Vec<&'static str> {
    let is_known = |name: &str| trials.clone().any(|trial| trial.starts_with(name));
    NATIVE_ALONE.iter().map(|(name, _)| *name).filter(|name| !is_known(name)).collect()
}
