//! Upstash's own client against the double of Upstash that the end-to-end suites use (`tests/upstash`).

use anyhow::Result;

use crate::npm;
use crate::shell::{cargo, run};

/// The script, and the client that it needs: pinned with all it needs, by version and hash.
const SOURCE: &str = "tests/upstash/conformance";
/// Where the client is installed, beside copies of these.
const INSTALLED: &str = "target/tools/conformance";

pub fn check() -> Result<()> {
    let folder =
        npm::install(SOURCE, INSTALLED, &["conformance.mjs", "redis.mjs"], "the double of Upstash is held against it")?;
    let mut test = cargo();
    test.args(["test", "--package", "upstash", "--test", "conformance", "--", "--nocapture"]);
    run(test.env("NODE", npm::node()?).env("UPSTASH_CONFORMANCE", folder))
}
