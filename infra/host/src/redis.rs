//! `spin:redis`: one multiplexed connection per resource, and no deadline. That is Spin's behaviour: the components have
//! deadlines of their own.

use std::borrow::Cow;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, ErrorKind, RedisError, RedisResult, Value};
use wasmtime::AsContextMut;
use wasmtime::component::{Accessor, HasData, Resource};

use crate::bindings::spin::redis::redis::{
    Connection, Error, Host, HostConnection, HostConnectionWithStore, Payload, RedisParameter, RedisResult as Reply,
};
use crate::limits::{MAX_BUFFERED_BYTES, MAX_CONNECTIONS};
use crate::outbound::AllowList;
use crate::table::Table;
use crate::trace::{ErrorType, InstanceTraces, Span};

/// The span of opening a connection, as Spin names it.
const OPEN: &str = "spin_outbound_redis.open_connection";

/// What one instance knows of Redis.
pub struct RedisState {
    allowed: Arc<AllowList>,
    connections: Table<MultiplexedConnection>,
    traces: Option<Arc<InstanceTraces>>,
}

impl RedisState {
    /// A state without connections.
    pub fn new(allowed: Arc<AllowList>, traces: Option<Arc<InstanceTraces>>) -> Self {
        Self { allowed, connections: Table::new(MAX_CONNECTIONS), traces }
    }
}

/// How the linker finds the state of Redis in an instance's state.
pub struct Redis;

impl HasData for Redis {
    type Data<'a> = &'a mut RedisState;
}

impl Redis {
    /// The connection, and the span of a command on it.
    fn command<T: Send>(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        command: &str,
    ) -> Result<(MultiplexedConnection, Span), Error> {
        accessor.with(|mut access| {
            let state = access.get();
            let connection = state.connections.get(handle.rep()).cloned();
            let connection = connection.ok_or_else(|| Error::Other("could not find connection for resource".into()))?;
            let traces = state.traces.clone();
            Ok((connection, InstanceTraces::redis(traces, access.as_context_mut(), command, Some(command))))
        })
    }
}

impl Host for RedisState {}

impl HostConnection for RedisState {
    async fn drop(&mut self, handle: Resource<Connection>) -> wasmtime::Result<()> {
        self.connections.remove(handle.rep());
        Ok(())
    }
}

impl<T: Send> HostConnectionWithStore<T> for Redis {
    async fn open(accessor: &Accessor<T, Self>, address: String) -> Result<Resource<Connection>, Error> {
        let (allowed, span) = accessor.with(|mut access| {
            let state = access.get();
            let (allowed, traces) = (state.allowed.clone(), state.traces.clone());
            (allowed, InstanceTraces::redis(traces, access.as_context_mut(), OPEN, None))
        });
        let connection = span.end(connect(&allowed, &address).await)?;
        accessor
            .with(|mut access| access.get().connections.push(connection))
            .map(Resource::new_own)
            .map_err(|_| Error::TooManyConnections)
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        channel: String,
        payload: Payload,
    ) -> Result<(), Error> {
        let (mut connection, span) = Self::command(accessor, handle, "PUBLISH")?;
        span.end(connection.publish(&channel, &payload).await.map_err(other))
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        key: String,
    ) -> Result<Option<Payload>, Error> {
        let (mut connection, span) = Self::command(accessor, handle, "GET")?;
        let value: Option<Payload> = span.end(connection.get(&key).await.map_err(other))?;
        check_size(value.as_ref().map_or(0, Vec::len))?;
        Ok(value)
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        key: String,
        value: Payload,
    ) -> Result<(), Error> {
        let (mut connection, span) = Self::command(accessor, handle, "SET")?;
        span.end(connection.set(&key, &value).await.map_err(other))
    }

    async fn incr(accessor: &Accessor<T, Self>, handle: Resource<Connection>, key: String) -> Result<i64, Error> {
        let (mut connection, span) = Self::command(accessor, handle, "INCRBY")?;
        span.end(connection.incr(&key, 1).await.map_err(other))
    }

    async fn del(accessor: &Accessor<T, Self>, handle: Resource<Connection>, keys: Vec<String>) -> Result<u32, Error> {
        let (mut connection, span) = Self::command(accessor, handle, "DEL")?;
        span.end(connection.del(&keys).await.map_err(other))
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, Error> {
        let (mut connection, span) = Self::command(accessor, handle, "SADD")?;
        let added: RedisResult<u32> = connection.sadd(&key, &values).await;
        let type_error = |error: RedisError| match error.kind() {
            ErrorKind::TypeError => Error::TypeError,
            _ => other(error),
        };
        span.end(added.map_err(type_error))
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        key: String,
    ) -> Result<Vec<String>, Error> {
        let (mut connection, span) = Self::command(accessor, handle, "SMEMBERS")?;
        span.end(connection.smembers(&key).await.map_err(other))
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, Error> {
        let (mut connection, span) = Self::command(accessor, handle, "SREM")?;
        span.end(connection.srem(&key, &values).await.map_err(other))
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Result<Vec<Reply>, Error> {
        let (mut connection, span) = Self::command(accessor, handle, &command)?;
        let mut command = redis::cmd(&command);
        for argument in arguments {
            match argument {
                RedisParameter::Int64(number) => command.arg(number),
                RedisParameter::Binary(bytes) => command.arg(bytes),
            };
        }
        let value: Value = span.end(command.query_async(&mut connection).await.map_err(other))?;
        let mut replies = Vec::new();
        flatten(value, &mut replies).map_err(other)?;
        check_size(replies.iter().map(size).sum())?;
        Ok(replies)
    }
}

async fn connect(allowed: &AllowList, address: &str) -> Result<MultiplexedConnection, Error> {
    if !allowed.allows(address, "redis") {
        return Err(Error::InvalidAddress);
    }
    let client = redis::Client::open(address).map_err(|_| Error::InvalidAddress)?;
    let config = redis::AsyncConnectionConfig::new();
    client.get_multiplexed_async_connection_with_config(&config).await.map_err(other)
}

impl ErrorType for Error {
    fn error_type(&self) -> Cow<'static, str> {
        match self {
            Self::InvalidAddress => "invalid_address",
            Self::TooManyConnections => "too_many_connections",
            Self::TypeError => "type_error",
            // Its text may quote a key.
            Self::Other(_) => "other",
        }
        .into()
    }
}

/// A server's error and a failed connection reach the component alike, as text.
fn other(error: RedisError) -> Error {
    Error::Other(error.to_string())
}

/// Appends a reply, taking nested arrays apart: the interface has a flat list only.
fn flatten(value: Value, replies: &mut Vec<Reply>) -> RedisResult<()> {
    let unsupported = |kind: &str| {
        let detail = format!("Redis {kind} not supported");
        Err(RedisError::from((ErrorKind::TypeError, "Could not convert Redis response", detail)))
    };
    replies.push(match value {
        Value::Array(values) | Value::Set(values) => {
            return values.into_iter().try_for_each(|value| flatten(value, replies));
        }
        Value::Nil => Reply::Nil,
        Value::Int(number) => Reply::Int64(number),
        Value::Boolean(truth) => Reply::Int64(truth.into()),
        Value::BulkString(bytes) => Reply::Binary(bytes),
        Value::Double(number) => Reply::Binary(number.to_string().into_bytes()),
        Value::BigNumber(number) => Reply::Binary(number.to_string().into_bytes()),
        Value::SimpleString(text) => Reply::Status(text),
        Value::Okay => Reply::Status("OK".into()),
        Value::Map(_) => return unsupported("Map type is"),
        Value::Attribute { .. } => return unsupported("Attribute type is"),
        Value::VerbatimString { .. } => return unsupported("string with format attribute is"),
        Value::Push { .. } => return unsupported("Pub/Sub types are"),
        Value::ServerError(error) => {
            return Err(RedisError::from((ErrorKind::ResponseError, "Server error", format!("{error:?}"))));
        }
    });
    Ok(())
}

fn size(reply: &Reply) -> usize {
    size_of::<Reply>()
        + match reply {
            Reply::Nil | Reply::Int64(_) => 0,
            Reply::Binary(bytes) => bytes.len(),
            Reply::Status(text) => text.len(),
        }
}

fn check_size(bytes: usize) -> Result<(), Error> {
    if bytes > MAX_BUFFERED_BYTES {
        return Err(Error::Other(format!("query result exceeds limit of {MAX_BUFFERED_BYTES} bytes")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(value: Value) -> Vec<Reply> {
        let mut replies = Vec::new();
        flatten(value, &mut replies).unwrap();
        replies
    }

    #[test]
    fn nested_arrays_come_back_flat_and_nil_inside_stays() {
        let value = Value::Array(vec![
            Value::Int(1),
            Value::Array(vec![Value::Nil, Value::BulkString(b"x".to_vec())]),
            Value::Array(vec![]),
            Value::Okay,
        ]);
        let replies = flat(value);
        assert!(
            matches!(&replies[..], [Reply::Int64(1), Reply::Nil, Reply::Binary(x), Reply::Status(ok)] if x == b"x" && ok == "OK"),
            "{replies:?}"
        );
        assert!(matches!(flat(Value::Nil)[..], [Reply::Nil]), "a lone nil is one Nil, not an empty list");
    }

    #[test]
    fn what_the_interface_cannot_hold_is_an_error() {
        let error = flatten(Value::Array(vec![Value::Map(vec![])]), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("Redis Map type is not supported"), "{error}");
    }
}
