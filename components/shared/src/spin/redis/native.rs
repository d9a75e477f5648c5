//! Redis by its own protocol: a connection of the platform's.

use super::Client;
use crate::cache::{Argument, CacheKey, MAX_ENTRY_BYTES, RedisFailure, Reply, Script, fact};
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};

/// A connection. It is multiplexed: the instance's requests share it.
pub struct Native(Connection);

fn failure(error: Error) -> RedisFailure {
    match error {
        Error::Other(text) => RedisFailure::from_text(&text),
        Error::InvalidAddress => RedisFailure::Unavailable(
            "redis_url is no address, or redis_address does not name its host and port".into(),
        ),
        Error::TooManyConnections => RedisFailure::Unavailable("the host allows no more connections".into()),
        Error::TypeError => RedisFailure::Refused("a value of another type".into()),
    }
}

impl From<RedisResult> for Reply {
    fn from(part: RedisResult) -> Self {
        match part {
            RedisResult::Nil => Self::Nil,
            RedisResult::Int64(number) => Self::Integer(number),
            RedisResult::Binary(bytes) => Self::Bytes(bytes),
            RedisResult::Status(text) => Self::Status(text),
        }
    }
}

impl Native {
    /// Opens a connection; which Redis is at its other end.
    ///
    /// # Errors
    /// As every command, and when it is a replica.
    pub async fn open(url: &str) -> Result<(Self, String), RedisFailure> {
        let native = Self(Connection::open(url).await.map_err(failure)?);
        // Without a section: before version 7 it takes no two of them.
        let info = native.execute("INFO", Vec::new()).await?;
        let run_id = identity(&info)?;
        Ok((native, run_id))
    }
}

/// The `run_id`, and the `master_replid`: a master that has been a replica has the data of another, which may lack its own
/// last invalidations, and the `run_id` of before.
fn identity(info: &[Reply]) -> Result<String, RedisFailure> {
    if fact(info, "role:").is_some_and(|role| role == "slave") {
        return Err(RedisFailure::Unavailable("it is a replica".into()));
    }
    let run_id = fact(info, "run_id:").ok_or_else(|| RedisFailure::Refused("INFO names no run_id".into()))?;
    Ok(match fact(info, "master_replid:") {
        Some(history) => format!("{run_id}/{history}"),
        None => run_id,
    })
}

impl Client for Native {
    async fn info(&self) -> Result<Vec<Reply>, RedisFailure> {
        self.execute("INFO", Vec::new()).await
    }

    async fn execute(&self, name: &'static str, arguments: Vec<Argument>) -> Result<Vec<Reply>, RedisFailure> {
        let arguments = arguments.into_iter().map(RedisParameter::Binary);
        let answer = self.0.execute(name, arguments).await.map_err(failure)?;
        Ok(answer.into_iter().map(Reply::from).collect())
    }

    async fn get(&self, key: &CacheKey, field: &str) -> Result<Vec<Reply>, RedisFailure> {
        let name = key.as_str().as_bytes().to_vec();
        if key.is_list() {
            // No command reads a field up to a limit, and a script that does takes Redis up to twenty times as long as this
            // (105 instead of 5 us for a page of 50 KB, 7.0.15): a page that is too large for any entry is discarded when it
            // has been late.
            self.execute("HGET", vec![name, field.as_bytes().to_vec()]).await
        } else {
            // A byte more than the longest entry tells that it is none.
            self.execute("GETRANGE", vec![name, b"0".to_vec(), MAX_ENTRY_BYTES.to_string().into_bytes()]).await
        }
    }

    async fn run(&self, script: Script) -> Result<Vec<Reply>, RedisFailure> {
        self.execute("EVAL", script.into_arguments()).await
    }

    /// One at a time: a connection sends the next when it has the answer.
    fn scripts_at_once(&self) -> usize {
        1
    }

    async fn run_all(&self, scripts: Vec<Script>) -> Result<(), RedisFailure> {
        for script in scripts {
            self.run(script).await?;
        }
        Ok(())
    }
}
