//! Loading a component: the engine, what is linked into it, and how an instance of it is made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use tokio::sync::{mpsc, watch};
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};
use wasmtime_wasi_http::WasiHttpCtx;
use wasmtime_wasi_http::handler::{HandlerState, Instance, Proxy, ProxyHandler, ViewFn};
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::p3::bindings::http::{client, types};
use wasmtime_wasi_http::p3::{WasiHttp, WasiHttpView};

use crate::app::{self, Answer, App, Incoming};
use crate::bindings::{spin, wasi};
use crate::instance::{InstanceState, Lifetime, Limits, Reuse};
use crate::key_value::{Database, KeyValue, KeyValueState};
use crate::manifest;
use crate::meter::{FUEL, Meter};
use crate::outbound::AllowList;
use crate::outgoing::OutgoingHttp;
use crate::output::Outputs;
use crate::postgres::{Pools, Postgres, PostgresState};
use crate::redis::{Redis, RedisState};
use crate::trace::{InstanceTraces, SpanContext, TracedClient, Tracing};
use crate::variables::{ComponentVariables, Values, Variables};

/// How many instances there can be at once, of all components together. Spin's number.
pub const MAX_INSTANCES: u32 = 1_000;

/// The largest memory that an instance can have: all that 32 bits address, as on Spin. Only reserved, not used.
const MAX_MEMORY_BYTES: usize = 4 << 30;

/// How much of a memory stays in place for the next instance instead of being given back. Spin's number.
const MEMORY_KEPT_BYTES: usize = 2 << 20;

/// `metered`: with the counting of instructions compiled into every component. `cache`: the folder of compiled components.
fn engine(metered: bool, cache: Option<&Path>) -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(MAX_INSTANCES)
        .total_memories(MAX_INSTANCES)
        .total_stacks(MAX_INSTANCES)
        .total_tables(2 * MAX_INSTANCES)
        .total_core_instances(4 * MAX_INSTANCES)
        .max_core_instances_per_component(200)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .table_elements(100_000)
        .max_memory_size(MAX_MEMORY_BYTES)
        .linear_memory_keep_resident(MEMORY_KEPT_BYTES)
        .table_keep_resident(MEMORY_KEPT_BYTES / 4);
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.consume_fuel(metered);
    config.cache(cache.map(compile_cache).transpose()?);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Ok(Engine::new(&config)?)
}

/// Compiled components in `folder`. An entry's key is a hash of the component's bytes, the compiler's settings and its version.
fn compile_cache(folder: &Path) -> Result<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(std::path::absolute(folder)?);
    Cache::new(config).map_err(|error| anyhow!("cannot keep compiled components in {}: {error:#}", folder.display()))
}

/// Everything that a component on this host can import. `traced`: with spans for the requests that it sends.
fn linker(engine: &Engine, traced: bool) -> Result<Linker<InstanceState>> {
    let mut linker = Linker::<InstanceState>::new(engine);
    // The standard library speaks WASI 0.2, the SDK 0.3.
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    let l = &mut linker;
    types::add_to_linker::<_, WasiHttp>(l, InstanceState::http)?;
    match traced {
        true => client::add_to_linker::<_, TracedClient>(l, InstanceState::http)?,
        false => client::add_to_linker::<_, WasiHttp>(l, InstanceState::http)?,
    }
    spin::redis::redis::add_to_linker::<_, Redis>(l, |state| &mut state.redis)?;
    spin::postgres::postgres::add_to_linker::<_, Postgres>(l, |state| &mut state.postgres)?;
    spin::key_value::key_value::add_to_linker::<_, KeyValue>(l, |state| &mut state.key_value)?;
    wasi::keyvalue::store::add_to_linker::<_, KeyValue>(l, |state| &mut state.key_value)?;
    wasi::keyvalue::atomics::add_to_linker::<_, KeyValue>(l, |state| &mut state.key_value)?;
    wasi::keyvalue::batch::add_to_linker::<_, KeyValue>(l, |state| &mut state.key_value)?;
    spin::variables::variables::add_to_linker::<_, Variables>(l, |state| &mut state.variables)?;
    wasi::config::store::add_to_linker::<_, HasSelf<Arc<ComponentVariables>>>(l, |state| &mut state.variables)?;
    Ok(linker)
}

/// A component, compiled and linked, with what the manifest grants it.
pub struct Loaded {
    id: String,
    pre: ServicePre<InstanceState>,
    allowed: Arc<AllowList>,
    variables: Arc<ComponentVariables>,
    stores: Arc<BTreeSet<String>>,
    outputs: Outputs,
}

/// Compiles components, each file once.
pub struct Loader {
    linker: Linker<InstanceState>,
    compiled: HashMap<PathBuf, ServicePre<InstanceState>>,
    logs: PathBuf,
}

impl Loader {
    /// A loader with an engine of its own. `metered`: components count their instructions. `traced`: the requests that they send
    /// have spans. `cache`: the folder that compiled components are kept in; without one each start compiles them. `logs`: the folder
    /// for what components print.
    pub fn new(metered: bool, traced: bool, cache: Option<&Path>, logs: PathBuf) -> Result<Self> {
        let engine = engine(metered, cache).context("cannot set up the WebAssembly engine")?;
        Ok(Self { linker: linker(&engine, traced)?, compiled: HashMap::new(), logs })
    }

    /// Compiles a component and checks that the host can run it.
    pub fn load(&mut self, id: &str, entry: &manifest::Component, values: &Values) -> Result<Loaded> {
        Ok(Loaded {
            id: id.to_owned(),
            allowed: Arc::new(AllowList::parse(&entry.allowed_outbound_hosts, values)?),
            variables: Arc::new(ComponentVariables::new(id, &entry.variables, values)?),
            stores: Arc::new(entry.key_value_stores.iter().cloned().collect()),
            pre: self.compile(&entry.source)?,
            outputs: Outputs::open(&self.logs, id)?,
        })
    }

    fn compile(&mut self, path: &Path) -> Result<ServicePre<InstanceState>> {
        if let Some(compiled) = self.compiled.get(path) {
            return Ok(compiled.clone());
        }
        ensure!(path.is_file(), "its wasm file {} is not there: build it first", path.display());
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let component = Component::new(self.linker.engine(), bytes)
            .map_err(|error| anyhow!("{} is not a component: {error:#}", path.display()))?;
        let linked = self
            .linker
            .instantiate_pre(&component)
            .map_err(|error| anyhow!("it imports what this host does not provide (run it with Spin): {error:#}"))?;
        let compiled = ServicePre::new(linked).map_err(|error| {
            anyhow!("it does not export wasi:http/handler@0.3.0, which spin-sdk 7 gives a component: {error:#}")
        })?;
        self.compiled.insert(path.to_owned(), compiled.clone());
        Ok(compiled)
    }
}

/// What all instances of the host share.
#[derive(Clone)]
pub struct Shared {
    /// The key-value stores.
    pub database: Arc<Database>,
    /// Every instance holds a strong one, so that the host can wait for the last.
    pub alive: mpsc::WeakSender<()>,
    /// True once the host stops.
    pub stopping: watch::Receiver<bool>,
    /// How long instances are used.
    pub reuse: Reuse,
    /// Counts what requests cost, if that is asked for.
    pub meter: Option<Arc<Meter>>,
    /// Makes spans, if a collector is named.
    pub tracing: Option<Arc<Tracing>>,
}

/// The application that is reached at `address`. Its components reach it too: one may send a request to another.
pub fn application(loaded: BTreeMap<String, Loaded>, shared: &Shared, address: SocketAddr) -> Arc<App> {
    Arc::new_cyclic(|app| {
        let component = |loaded| {
            let instances = ProxyHandler::new(Instantiator::new(loaded, shared.clone(), app.clone()));
            Box::new(instances) as Box<dyn app::Component>
        };
        let components = loaded.into_iter().map(|(id, loaded)| (id, component(loaded))).collect();
        App::new(components, address, shared.tracing.clone())
    })
}

impl app::Component for ProxyHandler<Instantiator> {
    fn answer(
        &self,
        request: Incoming,
        span: Option<SpanContext>,
    ) -> Pin<Box<dyn Future<Output = Result<Answer>> + Send + '_>> {
        Box::pin(async { Ok(self.handle(span, request).await?) })
    }
}

/// Makes the instances of one component.
struct Instantiator {
    loaded: Loaded,
    shared: Shared,
    /// Spin gives every component its own pools.
    pools: Arc<Pools>,
    app: Weak<App>,
}

impl Instantiator {
    /// An instantiator for a component of `app`.
    fn new(loaded: Loaded, shared: Shared, app: Weak<App>) -> Self {
        Self { loaded, shared, pools: Arc::default(), app }
    }

    fn state(&self) -> wasmtime::Result<InstanceState> {
        let allowed = &self.loaded.allowed;
        let alive = self.shared.alive.upgrade().ok_or_else(|| wasmtime::format_err!("the host has stopped"))?;
        let traces = self.shared.tracing.clone().map(InstanceTraces::new);
        Ok(InstanceState {
            wasi: wasi_context(allowed.clone(), self.loaded.outputs.clone()),
            table: ResourceTable::new(),
            http: WasiHttpCtx::new(),
            outgoing: OutgoingHttp::new(allowed.clone(), self.app.clone(), traces.clone()),
            redis: RedisState::new(allowed.clone(), traces.clone()),
            postgres: PostgresState::new(allowed.clone(), self.pools.clone(), traces),
            key_value: KeyValueState::new(self.loaded.stores.clone(), self.shared.database.clone()),
            variables: self.loaded.variables.clone(),
            _alive: alive,
        })
    }
}

impl HandlerState for Instantiator {
    type StoreData = InstanceState;
    type WorkerExpiration = Lifetime;
    type WorkerState = Limits;

    async fn instantiate(&self) -> wasmtime::Result<Instance<InstanceState, Lifetime, Limits>> {
        let began = Instant::now();
        let mut store = Store::new(self.loaded.pre.engine(), self.state()?);
        if self.shared.meter.is_some() {
            store.set_fuel(FUEL)?;
        }
        let proxy = self.loaded.pre.instantiate_async(&mut store).await?;
        let meter = self.shared.meter.as_ref().map(|meter| meter.instance(&self.loaded.id, began.elapsed()));
        Ok(Instance {
            store,
            proxy: Proxy::P3(proxy),
            view: ViewFn::P3(InstanceState::http),
            expiration: Lifetime::new(self.shared.reuse.idle_instance_timeout, self.shared.stopping.clone()),
            state: Limits { component: self.loaded.id.clone(), reuse: self.shared.reuse, meter },
        })
    }
}

/// No files, no arguments, no environment.
fn wasi_context(allowed: Arc<AllowList>, outputs: Outputs) -> WasiCtx {
    let mut builder = WasiCtxBuilder::new();
    builder.stdout(outputs.stdout).stderr(outputs.stderr);
    builder.socket_addr_check(move |address, purpose| {
        let scheme = match purpose {
            SocketAddrUse::TcpConnect => Some("tcp"),
            SocketAddrUse::TcpBind => None,
            SocketAddrUse::UdpBind | SocketAddrUse::UdpConnect | SocketAddrUse::UdpOutgoingDatagram => Some("udp"),
        };
        let allowed = scheme.is_some_and(|scheme| allowed.allows(&address.to_string(), scheme));
        Box::pin(async move { allowed })
    });
    builder.build()
}
