//! `wasi:http/client` that notes which request's span the outgoing request belongs to.

use wasmtime::AsContextMut;
use wasmtime::component::{Accessor, HasData, Resource};
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::p3::bindings::http::client::HostWithStore;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{Request, Response, WasiHttp, WasiHttpCtxView, WasiHttpView};

use crate::instance::InstanceState;

/// The client of a host that sends traces. wasmtime's own hooks do not know which task sends.
pub struct TracedClient;

impl HasData for TracedClient {
    type Data<'a> = WasiHttpCtxView<'a>;
}

impl HostWithStore<InstanceState> for TracedClient {
    async fn send(
        accessor: &Accessor<InstanceState, Self>,
        request: Resource<Request>,
    ) -> Result<Resource<Response>, TrappableError<ErrorCode>> {
        accessor.with(|mut access| {
            let traces = access.data_mut().outgoing.traces.clone();
            let caller = traces.and_then(|traces| traces.caller(access.as_context_mut()));
            access.data_mut().outgoing.caller = caller;
        });
        // Takes the caller when it is first polled, which is now: no other task runs in between.
        let accessor = accessor.with_getter::<WasiHttp>(InstanceState::http);
        <WasiHttp as HostWithStore<InstanceState>>::send(&accessor, request).await
    }
}
