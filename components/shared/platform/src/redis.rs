//! Redis: one kept connection an instance, every call with a deadline.

mod native;
mod upstash;

use self::native::Native;
use self::upstash::Upstash;
use super::clock::{self, timed};
use super::metrics;
use rental::config::{Config, RedisEndpoint};
use rental::metrics::{Count, Timing};
use crate::scope::{self, Share};
use cache::{Argument, CacheKey, Facts, RedisFailure, Reply, Script, strings};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// A way to Redis. Each call is one command, and none of them has a deadline.
trait Client {
    /// What Redis says of itself.
    async fn info(&self) -> Result<Vec<Reply>, RedisFailure>;

    /// Any other command.
    async fn execute(&self, name: &'static str, arguments: Vec<Argument>) -> Result<Vec<Reply>, RedisFailure>;

    /// What is stored as a value, or as one page of a list.
    async fn get(&self, key: &CacheKey, field: &str) -> Result<Vec<Reply>, RedisFailure>;

    /// Runs a script.
    async fn run(&self, script: Script) -> Result<Vec<Reply>, RedisFailure>;

    /// How many scripts [`Client::run_all`] sends at once.
    fn scripts_at_once(&self) -> usize;

    /// Runs scripts whose answers do not matter.
    async fn run_all(&self, scripts: Vec<Script>) -> Result<(), RedisFailure>;
}

/// One of them, as `redis_url` says.
enum Way {
    Native(Native),
    Upstash(Upstash),
}

/// What goes by REST is boxed: its futures are large, and a connection's would be as large beside them.
impl Client for Way {
    async fn info(&self) -> Result<Vec<Reply>, RedisFailure> {
        match self {
            Self::Native(native) => native.info().await,
            Self::Upstash(upstash) => Box::pin(upstash.info()).await,
        }
    }

    async fn execute(&self, name: &'static str, arguments: Vec<Argument>) -> Result<Vec<Reply>, RedisFailure> {
        match self {
            Self::Native(native) => native.execute(name, arguments).await,
            Self::Upstash(upstash) => Box::pin(upstash.execute(name, arguments)).await,
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

    async fn run_all(&self, scripts: Vec<Script>) -> Result<(), RedisFailure> {
        match self {
            Self::Native(native) => native.run_all(scripts).await,
            Self::Upstash(upstash) => Box::pin(upstash.run_all(scripts)).await,
        }
    }
}

/// A connection, and which Redis is at its other end. The instance's requests share it.
pub struct Connection {
    way: Way,
    /// Which Redis it is: another one after every restart, on every other server, and when the server has been a replica
    /// meanwhile ([`cache::Identity`]). By REST: another one when the data are others.
    pub run_id: String,
}

thread_local! {
    static KEPT: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };
}

/// The instance's connection, if it has one. Nothing was asked of it, so that it is there says nothing of Redis.
pub fn kept() -> Option<Rc<Connection>> {
    KEPT.with_borrow(Clone::clone)
}

/// The kept connection, or a new one.
///
/// # Errors
/// As every command.
pub async fn connection(config: &Config) -> Result<Rc<Connection>, RedisFailure> {
    if let Some(kept) = kept() {
        return Ok(kept);
    }
    let (opened, took) = timed(config.redis_connect_timeout, open(config)).await;
    let opened = opened.unwrap_or(Err(RedisFailure::TimedOut));
    scope::add(Share::Redis, took);
    tally(&opened);
    let kept = Rc::new(opened?);
    KEPT.set(Some(Rc::clone(&kept)));
    Ok(kept)
}

async fn open(config: &Config) -> Result<Connection, RedisFailure> {
    match &config.redis {
        RedisEndpoint::Native(url) => {
            let (native, identity) = Native::open(url).await?;
            let run_id = if config.key_value_shared { identity.to_string() } else { identity.unremembered() };
            Ok(Connection { way: Way::Native(native), run_id })
        }
        RedisEndpoint::Rest { url, authorization } => {
            let candidate = clock::token().map_err(|error| RedisFailure::Refused(error.to_string()))?;
            let opening = Upstash::open(url, authorization, &config.namespace, &candidate);
            let (upstash, run_id) = Box::pin(opening).await?;
            Ok(Connection { way: Way::Upstash(upstash), run_id })
        }
    }
}

fn tally<T>(result: &Result<T, RedisFailure>) {
    if let Err(failure) = result {
        metrics::count(Count::RedisError(failure.kind()));
        if let Some(refusal) = failure.refusal() {
            metrics::count(Count::RedisRefused(refusal));
        }
    }
}

/// What Redis says of itself. An operator asks, so it is no failure for the breaker.
///
/// # Errors
/// As every command.
pub async fn facts(config: &Config) -> Result<Facts, RedisFailure> {
    let kept = connection(config).await?;
    let info = kept.within(config.redis_timeout, "INFO", kept.way.info()).await?;
    Ok(Facts::of(&info))
}

/// Whether Redis has answered, if only with an error.
pub fn answers<T>(result: &Result<T, RedisFailure>) -> bool {
    result.as_ref().err().is_none_or(RedisFailure::is_answer)
}

/// Drops `kept` from the instance: a connection that failed stays broken.
pub fn forget(kept: &Rc<Connection>) {
    KEPT.with_borrow_mut(|current| {
        if current.as_ref().is_some_and(|current| Rc::ptr_eq(current, kept)) {
            *current = None;
        }
    });
}

impl Connection {
    /// Waits for `work`, which is the command `name`, for at most `deadline`.
    async fn within<T>(
        self: &Rc<Self>,
        deadline: Duration,
        name: &'static str,
        work: impl Future<Output = Result<T, RedisFailure>>,
    ) -> Result<T, RedisFailure> {
        let (answer, took) = timed(deadline, work).await;
        let result = answer.unwrap_or(Err(RedisFailure::TimedOut));
        metrics::time(Timing::Redis(name), took);
        scope::add(Share::Redis, took);
        tally(&result);
        if !answers(&result) {
            forget(self);
        }
        result
    }

    async fn execute(
        self: &Rc<Self>,
        deadline: Duration,
        name: &'static str,
        arguments: Vec<Argument>,
    ) -> Result<Vec<Reply>, RedisFailure> {
        self.within(deadline, name, self.way.execute(name, arguments)).await
    }

    /// The stored bytes of a value or of one page of a list, or nothing within `deadline`. Of a value that is larger than any
    /// entry no more comes than what tells that.
    ///
    /// # Errors
    /// [`RedisFailure::Refused`] when there is a value of another type.
    pub async fn get(
        self: &Rc<Self>,
        deadline: Duration,
        key: &CacheKey,
        field: &str,
    ) -> Result<Option<Vec<u8>>, RedisFailure> {
        let name = if key.is_list() { "HGET" } else { "GETRANGE" };
        let answer = self.within(deadline, name, self.way.get(key, field)).await?;
        Ok(answer.into_iter().find_map(|part| match part {
            // GETRANGE has no other answer for what is not there.
            Reply::Bytes(bytes) if !bytes.is_empty() => Some(bytes),
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
        let answer = self.execute(deadline, "SCAN", words.map(|word| word.as_bytes().to_vec()).into()).await?;
        // The cursor and the list of keys come as one flat list.
        let mut parts = strings(answer);
        let next = parts.next().and_then(|part| std::str::from_utf8(&part).ok()?.parse().ok());
        let next = next.ok_or_else(|| RedisFailure::Refused("SCAN names no cursor".into()))?;
        Ok((next, parts.collect()))
    }

    /// Deletes keys; how many there were.
    ///
    /// # Errors
    /// As every command.
    pub async fn delete(self: &Rc<Self>, deadline: Duration, keys: Vec<Argument>) -> Result<u64, RedisFailure> {
        let answer = self.execute(deadline, "DEL", keys).await?;
        let number = answer.into_iter().find_map(|part| match part {
            Reply::Integer(number) => u64::try_from(number).ok(),
            _ => None,
        });
        number.ok_or_else(|| RedisFailure::Refused("DEL answers no number".into()))
    }

    /// Runs a script; the parts of its answer that are strings, or nothing within `deadline`.
    ///
    /// # Errors
    /// As every command.
    pub async fn run(self: &Rc<Self>, deadline: Duration, script: Script) -> Result<Vec<Vec<u8>>, RedisFailure> {
        Ok(strings(self.within(deadline, "EVAL", self.way.run(script)).await?).collect())
    }

    /// Runs a script that no request waits for. It is neither measured nor counted, and what becomes of it says nothing of
    /// the connection.
    ///
    /// # Errors
    /// As every command.
    pub async fn run_aside(&self, deadline: Duration, script: Script) -> Result<(), RedisFailure> {
        let answer = clock::within(deadline, self.way.run(script)).await;
        answer.unwrap_or(Err(RedisFailure::TimedOut)).map(drop)
    }

    /// Runs scripts whose answers do not matter, in as few requests as the way allows; `deadline` is for each script.
    ///
    /// # Errors
    /// As every command; which of them have run is then unknown.
    pub async fn run_all(
        self: &Rc<Self>,
        deadline: Duration,
        scripts: impl IntoIterator<Item = Script>,
    ) -> Result<(), RedisFailure> {
        let mut scripts = scripts.into_iter();
        loop {
            let batch: Vec<Script> = scripts.by_ref().take(self.way.scripts_at_once()).collect();
            let Ok(count @ 1..) = u32::try_from(batch.len()) else {
                return Ok(());
            };
            self.within(deadline.saturating_mul(count), "EVAL", self.way.run_all(batch)).await?;
        }
    }
}
