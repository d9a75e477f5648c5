//! What is rehearsed or checked here runs on: Redis as in production, PostgreSQL with the demo, and the built components.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use stack::{AUDIENCE, Host, HostOptions, ISSUER, Postgres, Redis, Runtime, TokenRequest};
use tempfile::TempDir;
use url::Url;

use crate::tools::{Server, ensure_servers};
use crate::wasm::Toolchain;
use crate::{build, demo};

/// The database that holds the demo.
const DATABASE: &str = "renttracker";
/// Longer than anything here takes.
const TOKEN_TTL_SECONDS: i64 = 60 * 60;

/// A drill on servers of its own.
#[derive(Args)]
pub struct Drill {
    /// How long the breaker leaves Redis alone once it is open; 60 by default in production
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=300), value_name = "SECONDS")]
    breaker_reset: u32,
}

impl Drill {
    /// Makes ready what every drill needs, and does this one.
    pub fn run<R>(self, rehearse: impl FnOnce(Runtime, u32) -> Result<R>) -> Result<R> {
        ensure_servers(&[Server::Redis, Server::Postgres])?;
        build::run_all(&Toolchain::ready()?)?;
        rehearse(Runtime::Embedded, self.breaker_reset)
    }
}

/// Servers on loopback, in a folder of their own. Dropped, they stop and leave nothing behind.
pub struct Servers {
    pub redis: Redis,
    postgres: Postgres,
    /// Of the role that the components log in as.
    login_url: String,
    secret: String,
    folder: TempDir,
}

impl Servers {
    /// Starts them, with so many properties for each landlord of the demo.
    pub fn start(properties: u32) -> Result<Servers> {
        // PostgreSQL gives up root's rights and must still reach its folder.
        let open = Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().prefix("renttracker-scene-").permissions(open).tempdir()?;
        let redis = Redis::start_as_in_production(&folder.path().join("redis"), 0, "");
        let redis = redis.context("Redis did not start")?;
        let postgres = Postgres::start_for_tests(&folder.path().join("postgres"));
        let postgres = postgres.context("PostgreSQL did not start")?;
        postgres.create_database(DATABASE)?;
        let database_url = postgres.url(DATABASE);
        stack::migrate(&database_url)?;
        demo::seed(&database_url, properties)?;
        let login_url = stack::ensure_login(&database_url, &stack::random_secret()?)?;
        Ok(Servers { redis, postgres, login_url, secret: stack::random_secret()?, folder })
    }

    /// Serves the components, with these variables besides those of the servers. What else keeps the processors busy is no outage of
    /// Redis.
    pub fn serve(&self, runtime: Runtime, more: BTreeMap<String, String>) -> Result<Host> {
        let mut variables = self.variables();
        variables.extend(["redis_timeout_ms", "redis_connect_timeout_ms"].map(|name| (name.into(), "500".into())));
        variables.extend(more);
        Host::start(HostOptions { variables, ..self.options(runtime) })
    }

    /// How a host is started here, without its variables.
    pub fn options(&self, runtime: Runtime) -> HostOptions {
        HostOptions {
            runtime,
            listen: "127.0.0.1:0".into(),
            state_dir: self.folder().join("state"),
            variables: BTreeMap::new(),
            log: Some(self.folder().join("host.log")),
            authorities: None,
            environment: BTreeMap::new(),
        }
    }

    /// The variables that lead to the servers.
    pub fn variables(&self) -> BTreeMap<String, String> {
        stack::variables(&self.redis.url(), &self.login_url, &self.secret)
    }

    /// The database, for its owner.
    pub fn database_url(&self) -> String {
        self.postgres.url(DATABASE)
    }

    /// The name of the database.
    pub fn database_name(&self) -> &'static str {
        DATABASE
    }

    /// The environment in which PostgreSQL's own programs reach its server as its superuser.
    pub fn database_environment(&self) -> Result<BTreeMap<&'static str, OsString>> {
        let url = Url::parse(&self.database_url())?;
        let programs = stack::postgres_binaries(None).context("PostgreSQL is not installed")?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(&path)))?;
        Ok([
            ("PATH", path),
            ("PGHOST", url.host_str().unwrap_or_default().into()),
            ("PGPORT", self.postgres.port().to_string().into()),
            ("PGUSER", url.username().into()),
            ("PGPASSWORD", url.password().unwrap_or_default().into()),
        ]
        .into())
    }

    /// A token that the components accept.
    pub fn token(&self, tenant: &str, role: Option<&str>) -> Result<String> {
        let (secret, ttl_seconds) = (&self.secret, TOKEN_TTL_SECONDS);
        stack::token(&TokenRequest { secret, issuer: ISSUER, audience: AUDIENCE, tenant, role, ttl_seconds })
    }

    /// Where they keep what they have.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
