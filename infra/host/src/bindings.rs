//! What `bindgen!` makes of the WIT inside the pinned `spin-sdk` crate; `build.rs` says which interfaces.

#![allow(missing_docs, clippy::all, reason = "generated code")]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
