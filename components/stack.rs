//! The build script of every component that serves requests of the API: how much stack its instances have.

/// In bytes; the linker's own choice is 1 MiB. The stack is the first part of an instance's memory, all of which the host clears
/// when the instance ends: that took a seventh of a first request's time. A stack that is too small ends the instance; the suites
/// pass with a quarter of this one.
const STACK_BYTES: u32 = 256 * 1024;

fn main() {
    println!("cargo::rerun-if-changed=../stack.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|architecture| architecture == "wasm32") {
        println!("cargo::rustc-link-arg-cdylib=-zstack-size={STACK_BYTES}");
    }
}
