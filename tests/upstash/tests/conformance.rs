//! Upstash's own client against the double (`conformance/conformance.mjs`). `UPSTASH_CONFORMANCE` is a folder with that
//! script and what `npm ci` installed beside it, and `NODE` the program that runs it: `cargo xtask test` gives both.

use std::process::Command;

use stack::Redis;
use upstash::Double;

const TOKEN: &str = "AYNgASQgZTc3+conformance=";

#[test]
fn the_double_does_what_the_official_client_expects() {
    let given = |name| std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not given: use `cargo xtask test`"));
    let folder = tempfile::tempdir().expect("a folder");
    let redis = Redis::start(folder.path()).expect("Redis starts");
    let double = Double::start(&redis.url(), TOKEN).expect("the double serves");
    let mut node = Command::new(given("NODE"));
    node.args(["--test", "--test-reporter=spec", "conformance.mjs"]).current_dir(given("UPSTASH_CONFORMANCE"));
    node.env("DOUBLE_URL", double.url()).env("DOUBLE_TOKEN", TOKEN).env("REDIS_PORT", redis.port().to_string());
    assert!(node.status().expect("Node.js starts").success(), "see above");
}
