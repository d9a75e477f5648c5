//! `spin:postgres`: pooled connections, queries and the errors that the components are told.

#![expect(clippy::result_large_err, reason = "the interface's error is as large as its WIT makes it")]

mod errors;
mod pool;
mod query;
mod ranges;
mod raw;
mod values;

pub use pool::Pools;

use std::sync::Arc;

use deadpool_postgres::Object;
use tokio_postgres::config::Host as PgHost;
use wasmtime::AsContextMut;
use wasmtime::component::{Accessor, FutureReader, HasData, Resource, StreamReader};

use crate::bindings::spin::postgres::postgres::{
    Column, Connection, ConnectionBuilder, Error, Host, HostConnection, HostConnectionBuilder,
    HostConnectionBuilderWithStore, HostConnectionWithStore, ParameterValue, Row, RowSet,
};
use crate::limits::MAX_CONNECTIONS;
use crate::outbound::AllowList;
use crate::streams::Received;
use crate::table::Table;
use crate::trace::{InstanceTraces, Span};

/// The spans, as Spin names them.
const OPEN: &str = "spin_outbound_pg.open_async";
const QUERY: &str = "spin_outbound_pg.query_async";
const EXECUTE: &str = "spin_outbound_pg.execute";

/// What one instance knows of PostgreSQL.
pub struct PostgresState {
    allowed: Arc<AllowList>,
    pools: Arc<Pools>,
    /// A pooled connection is shared with the queries that run on it, and goes back to its pool after the last.
    connections: Table<Arc<Object>>,
    builders: Table<Builder>,
    traces: Option<Arc<InstanceTraces>>,
}

/// An address, and a certificate authority that it trusts beside the system's.
#[derive(Clone)]
struct Builder {
    address: String,
    authority: Option<String>,
}

impl PostgresState {
    /// A state without connections.
    pub fn new(allowed: Arc<AllowList>, pools: Arc<Pools>, traces: Option<Arc<InstanceTraces>>) -> Self {
        let (connections, builders) = (Table::new(MAX_CONNECTIONS), Table::new(MAX_CONNECTIONS));
        Self { allowed, pools, connections, builders, traces }
    }

    fn connection(&self, handle: &Resource<Connection>) -> Result<Arc<Object>, Error> {
        let connection = self.connections.get(handle.rep()).cloned();
        connection.ok_or_else(|| Error::ConnectionFailed("no connection found".into()))
    }

    fn builder(&self, handle: &Resource<ConnectionBuilder>) -> Result<Builder, Error> {
        let builder = self.builders.get(handle.rep()).cloned();
        builder.ok_or_else(|| Error::ConnectionFailed("no builder found".into()))
    }

    fn keep(&mut self, connection: Arc<Object>) -> Result<Resource<Connection>, Error> {
        let number = self.connections.push(connection);
        number.map(Resource::new_own).map_err(|_| Error::ConnectionFailed("too many connections".into()))
    }
}

/// Checks every host of the connection string, then takes a connection out of the address's pool.
async fn connect(allowed: &AllowList, pools: &Pools, builder: &Builder) -> Result<Arc<Object>, Error> {
    check_address(allowed, &builder.address)?;
    let connection = pools.connect(&builder.address, builder.authority.as_deref()).await;
    connection.map(Arc::new).map_err(|error| Error::ConnectionFailed(errors::with_causes(&error)))
}

fn check_address(allowed: &AllowList, address: &str) -> Result<(), Error> {
    let config: tokio_postgres::Config =
        address.parse().map_err(|error: tokio_postgres::Error| Error::ConnectionFailed(error.to_string()))?;
    let ports = config.get_ports();
    for (index, host) in config.get_hosts().iter().enumerate() {
        let PgHost::Tcp(host) = host else {
            return Err(Error::ConnectionFailed("Unix sockets are not supported on WebAssembly".into()));
        };
        // A single port stands for every host.
        let port = ports.get(index).or(if ports.len() == 1 { ports.first() } else { None });
        let target = port.map_or(host.clone(), |port| format!("{host}:{port}"));
        if !allowed.allows(&target, "postgres") {
            return Err(Error::ConnectionFailed(format!("address postgres://{target} is not permitted")));
        }
    }
    Ok(())
}

/// How the linker finds the state of PostgreSQL in an instance's state.
pub struct Postgres;

impl HasData for Postgres {
    type Data<'a> = &'a mut PostgresState;
}

impl Postgres {
    async fn open<T: Send>(accessor: &Accessor<T, Self>, builder: Builder) -> Result<Resource<Connection>, Error> {
        let (allowed, pools, span) = accessor.with(|mut access| {
            let state = access.get();
            let (allowed, pools, traces) = (state.allowed.clone(), state.pools.clone(), state.traces.clone());
            (allowed, pools, InstanceTraces::postgres(traces, access.as_context_mut(), OPEN, None))
        });
        let connection = span.end(connect(&allowed, &pools, &builder).await)?;
        accessor.with(|mut access| access.get().keep(connection))
    }

    /// The connection, and the span of a statement on it.
    fn statement<T: Send>(
        accessor: &Accessor<T, Self>,
        handle: &Resource<Connection>,
        name: &'static str,
        statement: &str,
    ) -> Result<(Arc<Object>, Span), Error> {
        accessor.with(|mut access| {
            let state = access.get();
            let (connection, traces) = (state.connection(handle)?, state.traces.clone());
            Ok((connection, InstanceTraces::postgres(traces, access.as_context_mut(), name, Some(statement))))
        })
    }
}

impl Host for PostgresState {}

impl HostConnectionBuilder for PostgresState {
    async fn new(&mut self, address: String) -> wasmtime::Result<Resource<ConnectionBuilder>> {
        let number = self.builders.push(Builder { address, authority: None });
        // The constructor cannot return an error: the instance ends here, as it does on Spin.
        number.map(Resource::new_own).map_err(|_| wasmtime::format_err!("out of builder table space"))
    }

    async fn set_ca_root(&mut self, handle: Resource<ConnectionBuilder>, certificate: String) -> Result<(), Error> {
        pool::check_authority(&certificate)
            .map_err(|error| Error::Other(format!("invalid root certificate: {error}")))?;
        let builder = self.builders.get_mut(handle.rep());
        builder.ok_or_else(|| Error::ConnectionFailed("no builder found".into()))?.authority = Some(certificate);
        Ok(())
    }

    async fn build(&mut self, handle: Resource<ConnectionBuilder>) -> Result<Resource<Connection>, Error> {
        let builder = self.builder(&handle)?;
        let connection = connect(&self.allowed, &self.pools, &builder).await?;
        self.keep(connection)
    }

    async fn drop(&mut self, handle: Resource<ConnectionBuilder>) -> wasmtime::Result<()> {
        self.builders.remove(handle.rep());
        Ok(())
    }
}

impl<T: Send> HostConnectionBuilderWithStore<T> for Postgres {
    async fn build_async(
        accessor: &Accessor<T, Self>,
        handle: Resource<ConnectionBuilder>,
    ) -> Result<Resource<Connection>, Error> {
        let builder = accessor.with(|mut access| access.get().builder(&handle))?;
        Self::open(accessor, builder).await
    }
}

impl HostConnection for PostgresState {
    async fn open(&mut self, address: String) -> Result<Resource<Connection>, Error> {
        let connection = connect(&self.allowed, &self.pools, &Builder { address, authority: None }).await?;
        self.keep(connection)
    }

    async fn query(
        &mut self,
        handle: Resource<Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Result<RowSet, Error> {
        query::query(&*self.connection(&handle)?, &statement, &parameters).await
    }

    async fn execute(
        &mut self,
        handle: Resource<Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Result<u64, Error> {
        query::execute(&*self.connection(&handle)?, &statement, &parameters).await
    }

    async fn drop(&mut self, handle: Resource<Connection>) -> wasmtime::Result<()> {
        self.connections.remove(handle.rep());
        Ok(())
    }
}

impl<T: Send> HostConnectionWithStore<T> for Postgres {
    async fn open_async(accessor: &Accessor<T, Self>, address: String) -> Result<Resource<Connection>, Error> {
        Self::open(accessor, Builder { address, authority: None }).await
    }

    async fn query_async(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Result<(Vec<Column>, StreamReader<Row>, FutureReader<Result<(), Error>>), Error> {
        let (connection, span) = Self::statement(accessor, &handle, QUERY, &statement)?;
        let streamed = query::stream(&connection, &statement, &parameters, span).await?;
        accessor.with(|mut access| {
            let failed = |error: wasmtime::Error| Error::Other(error.to_string());
            let rows = StreamReader::new(&mut access, Received(streamed.rows)).map_err(failed)?;
            let end = FutureReader::new(&mut access, streamed.end).map_err(failed)?;
            Ok((streamed.columns, rows, end))
        })
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Result<u64, Error> {
        let (connection, span) = Self::statement(accessor, &handle, EXECUTE, &statement)?;
        span.end(query::execute(&connection, &statement, &parameters).await)
    }
}
