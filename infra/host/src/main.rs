//! The embedded host.
fn main() {}
