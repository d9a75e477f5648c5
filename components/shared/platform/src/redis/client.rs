//! What either protocol of Redis can do.

use cache::{Argument, CacheKey, Command, RedisFailure, Reply, Script};
use std::pin::Pin;

/// A command that was sent already.
pub type Sent = Pin<Box<dyn Future<Output = Result<Vec<Reply>, RedisFailure>>>>;

/// A client of Redis by one protocol. Each call is one command, and none of them has a deadline.
pub trait Client {
    /// What Redis says of itself.
    async fn info(&self) -> Result<Vec<Reply>, RedisFailure>;

    /// Any other command.
    async fn execute(&self, command: Command, arguments: Vec<Argument>) -> Result<Vec<Reply>, RedisFailure>;

    /// What is stored as a value, or as one page of a list.
    async fn get(&self, key: &CacheKey, field: &str) -> Result<Vec<Reply>, RedisFailure>;

    /// Runs a script.
    async fn run(&self, script: Script) -> Result<Vec<Reply>, RedisFailure>;

    /// How many scripts [`Client::run_all`] sends at once.
    fn scripts_at_once(&self) -> usize;

    /// Runs scripts; their answers one behind the other.
    async fn run_all(&self, scripts: Vec<Script>) -> Result<Vec<Reply>, RedisFailure>;
}
