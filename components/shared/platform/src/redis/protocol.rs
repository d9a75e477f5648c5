//! The two protocols of Redis as one.

use super::client::Client;
use super::native::Native;
use super::upstash::Upstash;
use cache::{Argument, CacheKey, Command, RedisFailure, Reply, Script};

/// The client of the protocol that `redis_url` names.
pub enum Protocol {
    /// A connection.
    Native(Native),
    /// REST.
    Upstash(Upstash),
}

/// What goes by REST is boxed: its futures are large, and a connection's would be as large beside them.
impl Client for Protocol {
    async fn info(&self) -> Result<Vec<Reply>, RedisFailure> {
        match self {
            Self::Native(native) => native.info().await,
            Self::Upstash(upstash) => Box::pin(upstash.info()).await,
        }
    }

    async fn execute(&self, command: Command, arguments: Vec<Argument>) -> Result<Vec<Reply>, RedisFailure> {
        match self {
            Self::Native(native) => native.execute(command, arguments).await,
            Self::Upstash(upstash) => Box::pin(upstash.execute(command, arguments)).await,
        }
    }

    async fn get(&self, key: &CacheKey, field: &str) -> Result<Vec<Reply>, RedisFailure> {
        match self {
            Self::Native(native) => native.get(key, field).await,
            Self::Upstash(upstash) => Box::pin(upstash.get(key, field)).await,
        }
    }

    async fn run(&self, script: Script) -> Result<Vec<Reply>, RedisFailure> {
        match self {
            Self::Native(native) => native.run(script).await,
            Self::Upstash(upstash) => Box::pin(upstash.run(script)).await,
        }
    }

    fn scripts_at_once(&self) -> usize {
        match self {
            Self::Native(native) => native.scripts_at_once(),
            Self::Upstash(upstash) => upstash.scripts_at_once(),
        }
    }

    async fn run_all(&self, scripts: Vec<Script>) -> Result<Vec<Reply>, RedisFailure> {
        match self {
            Self::Native(native) => native.run_all(scripts).await,
            Self::Upstash(upstash) => Box::pin(upstash.run_all(scripts)).await,
        }
    }
}
