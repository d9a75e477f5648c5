//! Which packages cargo builds together for the tests.

/// The packages that the end-to-end tests are built among: were `tests` selected alone, a quarter of the crates would have other
/// features than in the unit tests, and be compiled twice.
pub const WITH_END_TO_END_TESTS: [&str; 3] = ["--workspace", "--exclude", "edge-host"];

/// The packages of the unit tests.
pub const NATIVE_PACKAGES: [&str; 5] = ["--workspace", "--exclude", "tests", "--exclude", "edge-host"];
