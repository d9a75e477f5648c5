//! Redis by its own protocol: a connection of the platform's.

use super::client::{Client, Sent};
use crate::sdk::redis::{Connection, Error, RedisParameter, RedisResult};
use cache::{
    Argument, CacheKey, Command, Identity, MAX_ENTRY_BYTES, Namespace, RedisFailure, Reply, Script, Slot, Unfit,
    asks_for_resp3,
};
use futures::future::{Either, ready, select};
use std::pin::pin;
use std::rc::Rc;

/// What an identity is made of: a tenth of what Redis says when it is asked for everything.
const IDENTITY_SECTIONS: [&str; 4] = ["server", "replication", "stats", "cluster"];

/// A connection. It is multiplexed: the instance's requests share it.
#[derive(Clone)]
pub struct Native(Rc<Connection>);

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
    /// Opens a connection; which Redis is at its other end. What is in `wanted` is asked for behind that, without waiting for the
    /// answer: both take one round trip, and come from the same server.
    ///
    /// # Errors
    /// As every command, and when the cache cannot be in this Redis.
    pub async fn open(
        url: &str,
        namespace: &Namespace,
        wanted: Option<&Slot<'_>>,
    ) -> Result<(Self, Identity, Option<Sent>), RedisFailure> {
        if asks_for_resp3(url) {
            return Err(Unfit::Resp3.into());
        }
        let native = Self(Rc::new(Connection::open(url).await.map_err(failure)?));
        let sections = IDENTITY_SECTIONS.map(|section| section.as_bytes().to_vec()).into();
        let asking = native.execute(Command::Info, sections);
        let (info, sent) = match wanted {
            None => (asking.await, None),
            Some(slot) => {
                let (info, sent) = both(asking, native.clone().send(slot.key(), slot.field())).await;
                (info, Some(sent))
            }
        };
        let info = match info {
            // Before version 7 it takes no two of them.
            Err(RedisFailure::Refused(_)) => native.info().await?,
            answer => answer?,
        };
        let identity = Identity::of(&info, namespace.has_hash_tag())?;
        if namespace.has_hash_tag() {
            // A node of a cluster that has not the keys' slot says so at the first key. Other refusals are not of this connection.
            let key = namespace.own_key("slot").into_bytes();
            let asked = native.execute(Command::GetRange, vec![key, b"0".to_vec(), b"0".to_vec()]).await;
            asked.map(drop).or_else(|failure| if failure.is_answer() { Ok(()) } else { Err(failure) })?;
        }
        Ok((native, identity, sent))
    }

    /// [`Client::get`], which goes on beside others.
    fn send(self, key: &CacheKey, field: &str) -> Sent {
        let (command, arguments) = read(key, field);
        Box::pin(async move { self.execute(command, arguments).await })
    }
}

/// Sends both, and waits for the answer to the first.
async fn both<T>(first: impl Future<Output = T>, second: Sent) -> (T, Sent) {
    match select(pin!(first), second).await {
        Either::Left((answer, second)) => (answer, second),
        Either::Right((second, first)) => (first.await, Box::pin(ready(second))),
    }
}

/// The command that reads a value or one page of a list, and its arguments.
fn read(key: &CacheKey, field: &str) -> (Command, Vec<Argument>) {
    let name = key.as_str().as_bytes().to_vec();
    if key.is_list() {
        // No command reads a field up to a limit, and a script that does takes Redis up to twenty times as long as this
        // (105 instead of 5 us for a page of 50 KB, 7.0.15): a page that is too large for any entry is discarded when it
        // has been late.
        (Command::HGet, vec![name, field.as_bytes().to_vec()])
    } else {
        // A byte more than the longest entry tells that it is none.
        (Command::GetRange, vec![name, b"0".to_vec(), MAX_ENTRY_BYTES.to_string().into_bytes()])
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
        let (command, arguments) = read(key, field);
        self.execute(command, arguments).await
    }

    async fn run(&self, script: Script) -> Result<Vec<Reply>, RedisFailure> {
        match self.execute(Command::EvalSha, script.by_hash()).await {
            Err(failure) if failure.wants_the_text() => self.execute(Command::Eval, script.into_arguments()).await,
            answer => answer,
        }
    }

    /// One at a time: a connection sends the next when it has the answer.
    fn scripts_at_once(&self) -> usize {
        1
    }

    async fn run_all(&self, scripts: Vec<Script>) -> Result<Vec<Reply>, RedisFailure> {
        let mut answers = Vec::new();
        for script in scripts {
            answers.extend(self.run(script).await?);
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::channel::oneshot;
    use futures::executor::block_on;

    #[test]
    fn the_second_command_is_sent_before_the_first_is_answered_and_waited_for_afterwards() {
        for is_answered_first in [true, false] {
            let (answer_first, first) = oneshot::channel();
            let (answer_second, second) = oneshot::channel();
            let second: Sent = Box::pin(async move {
                // It is polled, and so sent, while the first has no answer.
                let _ = answer_first.send("first");
                match is_answered_first {
                    true => Ok(Vec::new()),
                    false => Ok(vec![Reply::Integer(second.await.unwrap_or_default())]),
                }
            });
            let (answer, second) = block_on(both(first, second));
            assert_eq!(answer, Ok("first"));
            let _ = answer_second.send(7);
            let expected = if is_answered_first { Vec::new() } else { vec![Reply::Integer(7)] };
            assert_eq!(block_on(second), Ok(expected));
        }
    }
}
