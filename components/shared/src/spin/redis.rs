//! Redis: one kept connection an instance, every call with a deadline.

use super::clock::timed;
use super::metrics;
use crate::cache::{CacheKey, RedisFailure, Script};
use crate::config::Config;
use crate::metrics::{Count, Timing};
use crate::scope::{self, Share};
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// A connection, and which Redis is at its other end. It is multiplexed: the instance's requests share it.
pub struct Kept {
    connection: Connection,
    /// Which Redis it is: another one after every restart, on every other server, and when the server has been a replica
    /// meanwhile.
    pub run_id: String,
}

thread_local! {
    static KEPT: RefCell<Option<Rc<Kept>>> = const { RefCell::new(None) };
}

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

/// The instance's connection, if it has one. Nothing was asked of it, so that it is there says nothing of Redis.
pub fn kept() -> Option<Rc<Kept>> {
    KEPT.with_borrow(Clone::clone)
}

/// The kept connection, or a new one.
///
/// # Errors
/// As every command.
pub async fn connection(config: &Config) -> Result<Rc<Kept>, RedisFailure> {
    if let Some(kept) = kept() {
        return Ok(kept);
    }
    let opening = async {
        let connection = Connection::open(&config.redis_url).await.map_err(failure)?;
        // Without a section: before version 7 it takes no two of them.
        let info = connection.execute("INFO", []).await.map_err(failure)?;
        Ok(Kept { connection, run_id: identity(&info)? })
    };
    let (opened, took) = timed(config.redis_connect_timeout, opening).await;
    let opened = opened.unwrap_or(Err(RedisFailure::TimedOut));
    scope::add(Share::Redis, took);
    tally(&opened);
    let kept = Rc::new(opened?);
    KEPT.set(Some(Rc::clone(&kept)));
    Ok(kept)
}

/// The `run_id`, and the `master_replid`: a master that has been a replica has the data of another, which may lack its own
/// last invalidations, and the `run_id` of before.
fn identity(info: &[RedisResult]) -> Result<String, RedisFailure> {
    if fact(info, "role:").is_some_and(|role| role == "slave") {
        return Err(RedisFailure::Unavailable("it is a replica".into()));
    }
    let run_id = fact(info, "run_id:").ok_or_else(|| RedisFailure::Refused("INFO names no run_id".into()))?;
    Ok(match fact(info, "master_replid:") {
        Some(history) => format!("{run_id}/{history}"),
        None => run_id,
    })
}

fn tally<T>(result: &Result<T, RedisFailure>) {
    if let Err(failure) = result {
        metrics::count(Count::RedisError(failure.kind()));
    }
}

/// What a line of INFO that begins with `name` says.
fn fact(info: &[RedisResult], name: &str) -> Option<String> {
    info.iter().find_map(|part| {
        let text = match part {
            RedisResult::Binary(bytes) => std::str::from_utf8(bytes).ok()?,
            RedisResult::Status(text) => text,
            RedisResult::Nil | RedisResult::Int64(_) => return None,
        };
        text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
    })
}

/// How many bytes Redis uses; `None` when it does not answer. An operator asks, so it is no failure for the breaker.
pub async fn memory(config: &Config) -> Option<u64> {
    let kept = connection(config).await.ok()?;
    let info = kept.command(config.redis_timeout, "INFO", vec![b"memory".to_vec()]).await.ok()?;
    fact(&info, "used_memory:")?.parse().ok()
}

/// Drops `kept` from the instance: a connection that failed stays broken.
pub fn forget(kept: &Rc<Kept>) {
    KEPT.with_borrow_mut(|current| {
        if current.as_ref().is_some_and(|current| Rc::ptr_eq(current, kept)) {
            *current = None;
        }
    });
}

impl Kept {
    async fn command(
        self: &Rc<Self>,
        deadline: Duration,
        name: &'static str,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<RedisResult>, RedisFailure> {
        let arguments = arguments.into_iter().map(RedisParameter::Binary);
        let (answer, took) = timed(deadline, self.connection.execute(name, arguments)).await;
        let result = answer.map_or(Err(RedisFailure::TimedOut), |answer| answer.map_err(failure));
        metrics::time(Timing::Redis(name), took);
        scope::add(Share::Redis, took);
        tally(&result);
        if result.as_ref().is_err_and(|failure| !failure.is_answer()) {
            forget(self);
        }
        result
    }

    /// The stored bytes of a value or of one page of a list, or nothing within `deadline`.
    ///
    /// # Errors
    /// [`RedisFailure::Refused`] when there is a value of another type.
    pub async fn get(
        self: &Rc<Self>,
        deadline: Duration,
        key: &CacheKey,
        field: &str,
    ) -> Result<Option<Vec<u8>>, RedisFailure> {
        let name = key.as_str().as_bytes().to_vec();
        let answer = if key.is_list() {
            self.command(deadline, "HGET", vec![name, field.as_bytes().to_vec()]).await?
        } else {
            self.command(deadline, "GET", vec![name]).await?
        };
        Ok(answer.into_iter().find_map(|part| match part {
            RedisResult::Binary(bytes) => Some(bytes),
            _ => None,
        }))
    }

    /// One step of a walk through all keys: where the next one begins (0: nowhere), and the keys of this one that match.
    ///
    /// # Errors
    /// As every command.
    pub async fn scan(
        self: &Rc<Self>,
        deadline: Duration,
        cursor: u64,
        glob: &str,
        count: u32,
    ) -> Result<(u64, Vec<Vec<u8>>), RedisFailure> {
        let words = [&cursor.to_string(), "MATCH", glob, "COUNT", &count.to_string()];
        let answer = self.command(deadline, "SCAN", words.map(|word| word.as_bytes().to_vec()).into()).await?;
        // The cursor and the list of keys come as one flat list.
        let mut parts = strings(answer);
        let next = parts.next().and_then(|part| std::str::from_utf8(&part).ok()?.parse().ok());
        let next = next.ok_or_else(|| RedisFailure::Refused("SCAN names no cursor".into()))?;
        Ok((next, parts.collect()))
    }

    /// The fields of a list's pages; none when there is no such list.
    ///
    /// # Errors
    /// As every command.
    pub async fn fields(self: &Rc<Self>, deadline: Duration, key: &CacheKey) -> Result<Vec<Vec<u8>>, RedisFailure> {
        Ok(strings(self.command(deadline, "HKEYS", vec![key.as_str().as_bytes().to_vec()]).await?).collect())
    }

    /// Deletes keys; how many there were.
    ///
    /// # Errors
    /// As every command.
    pub async fn delete(self: &Rc<Self>, deadline: Duration, keys: Vec<Vec<u8>>) -> Result<u64, RedisFailure> {
        let answer = self.command(deadline, "DEL", keys).await?;
        let number = answer.into_iter().find_map(|part| match part {
            RedisResult::Int64(number) => u64::try_from(number).ok(),
            _ => None,
        });
        number.ok_or_else(|| RedisFailure::Refused("DEL answers no number".into()))
    }

    /// Runs a script; the parts of its answer that are strings, or nothing within `deadline`.
    ///
    /// # Errors
    /// As every command.
    pub async fn run(self: &Rc<Self>, deadline: Duration, script: Script) -> Result<Vec<Vec<u8>>, RedisFailure> {
        Ok(strings(self.command(deadline, "EVAL", script.arguments).await?).collect())
    }
}

fn strings(answer: Vec<RedisResult>) -> impl Iterator<Item = Vec<u8>> {
    answer.into_iter().filter_map(|part| match part {
        RedisResult::Binary(bytes) => Some(bytes),
        RedisResult::Status(text) => Some(text.into_bytes()),
        RedisResult::Nil | RedisResult::Int64(_) => None,
    })
}
