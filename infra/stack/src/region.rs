//! What the hosts of a region stand on, where there are several (`infra/deploy/regions.md`).

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use url::Url;

use crate::{Postgres, Redis, database_address};

/// The key that signs session tokens has as many bytes.
const SESSION_KEY_BYTES: usize = 32;

/// A region: a Redis and a hot standby of its own. Dropping it stops both.
pub struct Region {
    /// As the variable `region` has it.
    pub name: String,
    /// The Redis that its hosts alone use.
    pub redis: Redis,
    /// The standby that its hosts alone read.
    pub standby: Postgres,
}

impl Region {
    /// Starts both in `dir`. The standby reaches the primary by `wal_port`, which may be a proxy's.
    pub fn start(name: &str, dir: &Path, primary: &Postgres, wal_port: u16) -> Result<Region> {
        let redis = Redis::start(&dir.join("redis")).with_context(|| format!("the Redis of {name} did not start"))?;
        let standby = primary.start_standby(&dir.join("standby"), wal_port);
        let standby = standby.with_context(|| format!("the standby of {name} did not start"))?;
        Ok(Region { name: name.to_owned(), redis, standby })
    }

    /// The variables of its hosts beside those of [`crate::variables`]. `login_url` leads the components to the primary.
    pub fn variables(&self, login_url: &str, session_key: &str) -> Result<Vec<(String, String)>> {
        let mut read_url = Url::parse(login_url).context("the database's URL cannot be read")?;
        let named = read_url.set_port(Some(self.standby.port()));
        named.map_err(|()| anyhow!("the database's URL names no host"))?;
        let variables = [
            ("region", self.name.clone()),
            ("database_read_url", read_url.to_string()),
            ("database_read_address", database_address(read_url.as_str())?),
            ("session_key", session_key.to_owned()),
        ];
        Ok(variables.map(|(name, value)| (name.to_owned(), value)).into())
    }
}

/// A new key for session tokens, which all regions share.
pub fn session_key() -> Result<String> {
    let mut key = [0; SESSION_KEY_BYTES];
    getrandom::fill(&mut key)?;
    Ok(BASE64_STANDARD.encode(key))
}
