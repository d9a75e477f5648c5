//! What is measured: Redis, PostgreSQL, hosts, the floor and the peers, all on loopback.

mod peers;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use http::HeaderValue;
use postgres::{Client, NoTls};
use stack::{AUDIENCE, Host, HostOptions, ISSUER, Postgres, Redis, Region, Runtime, TokenRequest};
use tempfile::TempDir;

use crate::counters::Cache;
use crate::load::Ask;
pub use peers::Peer;

/// The migrated database that the others are copied from.
const TEMPLATE: &str = "template_bench";
/// The longest read lease that there is, in milliseconds.
pub const READ_LEASE_MS: u32 = 50;

/// How many requests an instance answers before the host makes another.
#[derive(Clone, Copy, Debug)]
pub enum Reuse {
    /// Thousands, as on a machine of its own.
    Long,
    /// What Spin does unless it is told otherwise: 128.
    Default,
    /// One, as on hosts that reuse no instance.
    One,
}

impl Reuse {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Reuse::Long => &stack::LONG_REUSE,
            Reuse::Default => &[],
            Reuse::One => &["--max-instance-reuse-count", "1"],
        }
    }
}

/// Longer than any run.
const TOKEN_SECONDS: i64 = 24 * 60 * 60;

/// The servers that every case shares. Dropped, they stop and leave nothing behind.
pub struct Stage {
    /// What runs the components.
    pub runtime: Runtime,
    /// The one Redis.
    pub redis: Redis,
    postgres: Postgres,
    secret: String,
    /// Of the role that the components log in as.
    login_password: String,
    directory: TempDir,
    /// Node.js and the peer that it runs, if they are there.
    pub node_peer: Option<[PathBuf; 2]>,
}

/// A host on a database of its own.
pub struct Api {
    /// The host.
    pub host: Host,
    /// `redis_instance_name`: what its keys begin with.
    pub instance: String,
    /// Its database.
    pub database_url: String,
}

impl Api {
    /// Where it answers.
    pub fn address(&self) -> Result<SocketAddr> {
        address(self.host.base_url())
    }

    /// A connection to its database.
    pub fn sql(&self) -> Result<Client> {
        Ok(Client::connect(&self.database_url, NoTls)?)
    }
}

/// The address in `http://ADDRESS`.
pub fn address(base_url: &str) -> Result<SocketAddr> {
    base_url.trim_start_matches("http://").parse().with_context(|| format!("{base_url} is no address"))
}

/// What the keys of the host of this name begin with.
fn instance(name: &str) -> String {
    format!("{name}_")
}

impl Stage {
    /// Starts Redis and PostgreSQL, the latter without durability, so that no disk is measured.
    pub fn start(runtime: Runtime) -> Result<Stage> {
        use std::os::unix::fs::PermissionsExt;
        // PostgreSQL gives up root's rights, and its user must reach it.
        let open = std::fs::Permissions::from_mode(0o755);
        let directory = tempfile::Builder::new().prefix("renttracker-bench-").permissions(open).tempdir()?;
        let redis = Redis::start(&directory.path().join("redis"))?;
        let postgres = Postgres::start_for_tests(&directory.path().join("postgres"))?;
        postgres.create_database(TEMPLATE)?;
        stack::migrate(&postgres.url(TEMPLATE))?;
        let login_password = stack::random_secret()?;
        stack::ensure_login(&postgres.url(TEMPLATE), &login_password)?;
        Ok(Stage {
            runtime,
            redis,
            postgres,
            secret: stack::random_secret()?,
            login_password,
            directory,
            node_peer: None,
        })
    }

    /// A new database with the schema: its URL.
    pub fn database(&self, name: &str) -> Result<String> {
        self.postgres.create_database_from(name, TEMPLATE)?;
        Ok(self.postgres.url(name))
    }

    /// A host that serves the components on this database, its instances used as on a machine of its own.
    pub fn api(&self, name: &str, database_url: &str, arguments: &[&OsStr]) -> Result<Api> {
        self.api_with(Reuse::Long, name, database_url, arguments)
    }

    /// [`Stage::api`], whose instances answer again from what they got, for as long as that is allowed.
    pub fn api_with_read_leases(&self, name: &str, database_url: &str) -> Result<Api> {
        let mut options = self.api_options(name, database_url)?;
        options.variables.insert("read_lease_ms".into(), READ_LEASE_MS.to_string());
        self.start_api(Reuse::Long, options, name, database_url, &[])
    }

    /// [`Stage::api`] in a region, whose Redis and whose standby it has.
    pub fn api_in_region(&self, region: &Region, database_url: &str, session_key: &str) -> Result<Api> {
        let name = format!("in-{}", region.name);
        let mut options = self.api_options(&name, database_url)?;
        let login_url = stack::login_url(database_url, &self.login_password)?;
        options.variables.extend(region.variables(&login_url, session_key)?);
        for name in ["redis_url", "redis_address"] {
            options.variables.insert(name.into(), region.redis.url());
        }
        self.start_api(Reuse::Long, options, &name, database_url, &[])
    }

    /// What a region stands on: a Redis, and a standby of this stage's PostgreSQL as it is now.
    pub fn region(&self, name: &str) -> Result<Region> {
        Region::start(name, &self.directory.path().join(name), &self.postgres, self.postgres.port())
    }

    /// Where PostgreSQL listens.
    pub fn postgres_port(&self) -> u16 {
        self.postgres.port()
    }

    /// [`Stage::api`], its instances used like this.
    pub fn api_with(&self, reuse: Reuse, name: &str, database_url: &str, arguments: &[&OsStr]) -> Result<Api> {
        self.start_api(reuse, self.api_options(name, database_url)?, name, database_url, arguments)
    }

    fn start_api(
        &self,
        reuse: Reuse,
        options: HostOptions,
        name: &str,
        database_url: &str,
        arguments: &[&OsStr],
    ) -> Result<Api> {
        let arguments: Vec<&OsStr> =
            reuse.arguments().iter().map(OsStr::new).chain(arguments.iter().copied()).collect();
        let host = Host::start_with(options, &self.runtime.manifest(), &arguments)?;
        Ok(Api { host, instance: instance(name), database_url: database_url.to_owned() })
    }

    /// How a host is started that serves the components on this database.
    pub fn api_options(&self, name: &str, database_url: &str) -> Result<HostOptions> {
        let login_url = stack::login_url(database_url, &self.login_password)?;
        let mut variables = stack::variables(&self.redis.url(), &login_url, &self.secret);
        variables.insert("redis_instance_name".into(), instance(name));
        // A machine that is as busy as a benchmark makes it must not look like a dead Redis.
        for name in ["redis_timeout_ms", "redis_connect_timeout_ms", "database_queue_ms"] {
            variables.insert(name.into(), "5000".into());
        }
        Ok(self.options(name, variables))
    }

    /// A host that serves the component that does nothing.
    pub fn floor(&self, reuse: Reuse) -> Result<Host> {
        self.component("floor", reuse, [].into())
    }

    /// A host that serves cache-aside as samples have it, on this database.
    pub fn naive(&self, reuse: Reuse, database_url: &str) -> Result<Host> {
        let mut variables = stack::variables(&self.redis.url(), database_url, "");
        variables.retain(|name, _| name.starts_with("redis_") || name.starts_with("database_"));
        self.component("naive", reuse, variables)
    }

    /// A host that serves the component that answers what Redis has under this key.
    pub fn one_get(&self, key: &str) -> Result<Host> {
        let mut variables = stack::variables(&self.redis.url(), "", "");
        variables.retain(|name, _| name.starts_with("redis_"));
        variables.insert("key".into(), key.to_owned());
        self.component("one-get", Reuse::Long, variables)
    }

    fn component(&self, name: &str, reuse: Reuse, variables: BTreeMap<String, String>) -> Result<Host> {
        let manifest = stack::repository_root().join("tests/bench").join(name).join("spin.toml");
        let arguments: Vec<&OsStr> = reuse.arguments().iter().map(OsStr::new).collect();
        Host::start_with(self.options(&format!("{name}-{reuse:?}"), variables), &manifest, &arguments)
    }

    /// How a host is started that gives its components these variables.
    pub fn options(&self, name: &str, variables: BTreeMap<String, String>) -> HostOptions {
        HostOptions {
            runtime: self.runtime,
            listen: "127.0.0.1:0".into(),
            state_dir: self.directory.path().join(name),
            variables,
            log: Some(self.directory.path().join(format!("{name}.log"))),
            authorities: None,
            environment: BTreeMap::new(),
        }
    }

    /// What a landlord sends along.
    pub fn bearer(&self, tenant: &str, role: Option<&str>) -> Result<HeaderValue> {
        let (secret, ttl_seconds) = (&self.secret, TOKEN_SECONDS);
        let request = TokenRequest { secret, issuer: ISSUER, audience: AUDIENCE, tenant, role, ttl_seconds };
        Ok(HeaderValue::try_from(format!("Bearer {}", stack::token(&request)?))?)
    }

    /// A GET of a landlord.
    pub fn get(&self, tenant: &str, target: &str) -> Result<Ask> {
        let authorization = self.bearer(tenant, None)?;
        Ok(Ask { method: http::Method::GET, target: target.to_owned(), authorization, body: Default::default() })
    }

    /// Redis, to look into.
    pub fn cache(&self) -> Result<Cache> {
        Cache::new(&self.redis.url())
    }

    /// A file in the folder that goes with the stage.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where PostgreSQL writes what it does.
    pub fn postgres_log(&self) -> PathBuf {
        Path::new(self.postgres.data_dir()).join("postgres.log")
    }
}
