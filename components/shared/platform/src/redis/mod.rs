//! Redis: one kept connection an instance.

mod client;
mod connection;
mod native;
mod protocol;
mod upstash;

pub use client::Sent;
pub use connection::{Connection, is_answer};

use crate::metrics::counts::Counts;
use crate::scope::{self, Share};
use crate::time::{timed, token};
use cache::{Facts, RedisFailure, Slot};
use connection::Place;
use native::Native;
use protocol::Protocol;
use rental::config::{Config, RedisEndpoint};
use std::rc::Rc;
use upstash::Upstash;

/// The instance's connection to Redis, which its requests share.
pub struct Redis {
    current: Place,
    counts: Rc<Counts>,
}

impl Redis {
    /// No connection yet.
    pub fn new(counts: Rc<Counts>) -> Self {
        Self { current: Place::default(), counts }
    }

    /// The kept connection, if there is one. Nothing was asked of it, so that it is there says nothing of Redis.
    pub fn current(&self) -> Option<Rc<Connection>> {
        self.current.borrow().clone()
    }

    /// The kept connection, or a new one.
    ///
    /// # Errors
    /// As every command.
    pub async fn connection(&self, config: &Config) -> Result<Rc<Connection>, RedisFailure> {
        match self.current() {
            Some(connection) => Ok(connection),
            None => Ok(self.connect(config, None).await?.0),
        }
    }

    /// A new connection, which is kept, and what is `wanted`, which is asked for while it is found out which Redis it is. The caller
    /// uses that only if the breaker's record trusts this Redis, and no other request does: it may be older than theirs.
    ///
    /// # Errors
    /// As every command.
    pub async fn connect(
        &self,
        config: &Config,
        wanted: Option<&Slot<'_>>,
    ) -> Result<(Rc<Connection>, Option<Sent>), RedisFailure> {
        let (opened, took) = timed(config.redis_connect_timeout, self.open(config, wanted)).await;
        let opened = opened.unwrap_or(Err(RedisFailure::TimedOut));
        scope::add(Share::Redis, took);
        self.counts.redis(&opened);
        let (connection, sent) = opened?;
        let connection = Rc::new(connection);
        self.current.replace(Some(Rc::clone(&connection)));
        Ok((connection, sent))
    }

    /// What Redis says of itself. An operator asks, so it is no failure for the breaker.
    ///
    /// # Errors
    /// As every command.
    pub async fn facts(&self, config: &Config) -> Result<Facts, RedisFailure> {
        self.connection(config).await?.facts(config.redis_timeout).await
    }

    async fn open(
        &self,
        config: &Config,
        wanted: Option<&Slot<'_>>,
    ) -> Result<(Connection, Option<Sent>), RedisFailure> {
        let (protocol, run_id, sent) = match &config.redis {
            RedisEndpoint::Native(url) => {
                let (native, identity, sent) = Native::open(url, &config.namespace, wanted).await?;
                (Protocol::Native(native), identity.to_string(), sent)
            }
            RedisEndpoint::Rest { url, authorization } => {
                let candidate = token().map_err(|error| RedisFailure::Refused(error.to_string()))?;
                let opening = Upstash::open(url, authorization, &config.namespace, &candidate);
                let (upstash, run_id) = Box::pin(opening).await?;
                (Protocol::Upstash(upstash), run_id, None)
            }
        };
        let connection = Connection::new(protocol, run_id, Rc::clone(&self.counts), Rc::downgrade(&self.current));
        Ok((connection, sent))
    }
}
