//! The value of an `Authorization` header.
#![no_main]

#[allow(dead_code, reason = "each target takes one of the entry points")]
#[path = "../../../components/shared/tests/input/entry.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::token(bytes));
