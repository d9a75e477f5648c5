//! A component that does nothing: what the platform itself costs. Its answer is as long as a usual property.

use spin_sdk::http::{IntoResponse, Request, Response};

/// The length of the answer in bytes: that of the property that the benchmark reads.
const LENGTH: usize = 1024;

/// Answers. It is exported to WebAssembly alone, whose names no native linker takes.
#[cfg_attr(target_arch = "wasm32", spin_sdk::http_service)]
pub async fn handle(_: Request) -> impl IntoResponse {
    // Without the length the platform would answer in chunks, which is slower than what is being compared with it.
    Response::builder().header("content-length", LENGTH).body("x".repeat(LENGTH))
}
