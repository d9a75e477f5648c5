//! Redis by its own protocol: a connection of the platform's.

use super::client::Client;
use crate::sdk::redis::{Connection, Error, RedisParameter, RedisResult};
use cache::{
    Argument, CacheKey, Command, Identity, MAX_ENTRY_BYTES, RedisFailure, Reply, Script, Unfit, asks_for_resp3,
};

/// What an identity is made of: a tenth of what Redis says when it is asked for everything.
const IDENTITY_SECTIONS: [&str; 4] = ["server", "replication", "stats", "cluster"];

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

fn reply(part: RedisResult) -> Reply {
    match part {
        RedisResult::Nil => Reply::Nil,
        RedisResult::Int64(number) => Reply::Integer(number),
        RedisResult::Binary(bytes) => Reply::Bytes(bytes),
        RedisResult::Status(text) => Reply::Status(text),
    }
}

impl Native {
    /// Opens a connection; which Redis is at its other end.
    ///
    /// # Errors
    /// As every command, and when the cache cannot be in this Redis.
    pub async fn open(url: &str) -> Result<(Self, Identity), RedisFailure> {
        if asks_for_resp3(url) {
            return Err(Unfit::Resp3.into());
        }
        let native = Self(Connection::open(url).await.map_err(failure)?);
        let sections = IDENTITY_SECTIONS.map(|section| section.as_bytes().to_vec()).into();
        let info = match native.execute(Command::Info, sections).await {
            // Before version 7 it takes no two of them.
            Err(RedisFailure::Refused(_)) => native.info().await?,
            answer => answer?,
        };
        Ok((native, Identity::of(&info)?))
    }
}

impl Client for Native {
    async fn info(&self) -> Result<Vec<Reply>, RedisFailure> {
        self.execute(Command::Info, Vec::new()).await
    }

    async fn execute(&self, command: Command, arguments: Vec<Argument>) -> Result<Vec<Reply>, RedisFailure> {
        let arguments = arguments.into_iter().map(RedisParameter::Binary);
        let answer = self.0.execute(command.name(), arguments).await.map_err(failure)?;
        Ok(answer.into_iter().map(reply).collect())
    }

    async fn get(&self, key: &CacheKey, field: &str) -> Result<Vec<Reply>, RedisFailure> {
        let name = key.as_str().as_bytes().to_vec();
        if key.is_list() {
            // No command reads a field up to a limit, and a script that does takes Redis up to twenty times as long as this
            // (105 instead of 5 us for a page of 50 KB, 7.0.15): a page that is too large for any entry is discarded when it
            // has been late.
            self.execute(Command::HGet, vec![name, field.as_bytes().to_vec()]).await
        } else {
            // A byte more than the longest entry tells that it is none.
            self.execute(Command::GetRange, vec![name, b"0".to_vec(), MAX_ENTRY_BYTES.to_string().into_bytes()]).await
        }
    }

    async fn run(&self, script: Script) -> Result<Vec<Reply>, RedisFailure> {
        self.execute(Command::Eval, script.into_arguments()).await
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
