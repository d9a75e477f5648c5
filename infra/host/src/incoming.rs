//! Incoming HTTP: a component sees the headers that it sees on Spin.

use http::HeaderName;
use wasmtime_wasi_http::WasiHttpHooks;

/// How a request reaches a component.
pub struct IncomingHttp;

impl WasiHttpHooks for IncomingHttp {
    /// wasmtime 48 would take out of a request what a component must not set itself, `Host` among it. wasmtime 47, and Spin
    /// 4.1 on it, leave it in; what Spin takes out is in [`crate::headers`].
    fn is_forbidden_header(&mut self, _: &HeaderName) -> bool {
        false
    }
}
