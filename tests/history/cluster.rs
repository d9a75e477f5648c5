//! Three hosts that share a Redis, a database and a key-value store, each with its own way to either server.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use stack::{Host, HostOptions, Pooler, Redis, Runtime};

use crate::bare_host::BareHost;
use crate::proxy::{Link, Mode, Network};
use crate::servers::{self, Database};

/// How many hosts there are.
pub const HOSTS: usize = 3;

/// Used nowhere else.
pub const JWT_SECRET: &str = "a secret of the history checker, 32 bytes or more";

/// How a cluster differs from the usual.
#[derive(Clone, Default)]
pub struct Options {
    /// Variables beyond those that `spin.toml` requires.
    pub variables: Vec<(&'static str, String)>,
    /// Another manifest than `spin.toml`.
    pub manifest: Option<PathBuf>,
    /// Noise on the ways to Redis: so many of a thousand pieces are late, by at most so many milliseconds.
    pub redis_noise: (u64, u64),
    /// The same on the ways to PostgreSQL.
    pub database_noise: (u64, u64),
    /// Whether the ways to PostgreSQL lead through a pooler that drops `statement_timeout`. Then a commit waits for a
    /// synchronous standby, should there be one.
    pub is_pooled: bool,
    /// What the hosts are told beyond that, as command line arguments that Spin has too.
    pub arguments: &'static [&'static str],
    /// Where the caller's Redis is, in place of one of the cluster's own.
    pub redis_port: Option<u16>,
}

/// Three hosts and their servers.
pub struct Cluster {
    /// The hosts.
    pub nodes: Vec<Arc<Node>>,
    /// The database that they share.
    pub database: Database,
    redis: Option<Mutex<Redis>>,
    redis_port: u16,
    _network: Network,
    _pooler: Option<Pooler>,
}

/// One host and its ways.
pub struct Node {
    /// The way to Redis.
    pub redis: Arc<Link>,
    /// The way to PostgreSQL.
    pub postgres: Arc<Link>,
    /// The port and, above it, how often the host was killed. Port 0: it is not there.
    address: AtomicU64,
    starts: AtomicU32,
    server: Mutex<Option<Server>>,
    folder: PathBuf,
    state_dir: PathBuf,
    variables: BTreeMap<String, String>,
    manifest: Option<PathBuf>,
    arguments: &'static [&'static str],
}

enum Server {
    Stack(Host),
    Bare(BareHost),
}

impl Cluster {
    /// Starts everything.
    pub fn start(options: &Options, seed: u64) -> Result<Arc<Cluster>> {
        let folder = servers::scratch("cluster")?;
        let database = servers::new_database()?;
        let (redis, redis_port) = match options.redis_port {
            Some(port) => (None, port),
            None => {
                let redis = Redis::start(&folder.join("redis"))?;
                let port = redis.port();
                (Some(Mutex::new(redis)), port)
            }
        };
        let pooler = options.is_pooled.then(|| database.pooled(&folder.join("pooler"))).transpose()?;
        let database_port = pooler.as_ref().map_or(database.port, Pooler::port);
        let network = Network::start()?;
        let mut nodes = Vec::new();
        for number in 0..HOSTS {
            let seed = seed.wrapping_mul(31).wrapping_add(number as u64);
            let to_redis = network.link(redis_port, options.redis_noise, seed)?;
            let to_postgres = network.link(database_port, options.database_noise, !seed)?;
            let redis_url = format!("redis://127.0.0.1:{}", to_redis.port());
            let mut variables =
                stack::variables(&redis_url, &database.login_url_through(to_postgres.port())?, JWT_SECRET);
            variables.extend(options.variables.iter().map(|(name, value)| ((*name).into(), value.clone())));
            let folder = folder.join(format!("host-{number}"));
            std::fs::create_dir_all(&folder)?;
            nodes.push(Arc::new(Node {
                redis: to_redis,
                postgres: to_postgres,
                address: AtomicU64::new(0),
                starts: AtomicU32::new(0),
                server: Mutex::new(None),
                state_dir: folder.with_file_name("state"),
                folder,
                variables,
                manifest: options.manifest.clone(),
                arguments: options.arguments,
            }));
        }
        let cluster = Cluster { nodes, database, redis, redis_port, _network: network, _pooler: pooler };
        for node in &cluster.nodes {
            node.start()?;
        }
        Ok(Arc::new(cluster))
    }

    /// The cluster's own Redis server, to be broken.
    pub fn redis(&self) -> MutexGuard<'_, Redis> {
        let redis = self.redis.as_ref().expect("the Redis is the caller's");
        redis.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to Redis past every proxy.
    pub fn redis_connection(&self) -> Result<redis::Connection> {
        let client = redis::Client::open(self.redis_url())?;
        client.get_connection_with_timeout(Duration::from_secs(5)).context("Redis does not answer")
    }

    /// By what `EVALSHA` names a script, which Redis has from now on.
    pub fn hash_of(&self, script: &str) -> Result<String> {
        Ok(redis::cmd("SCRIPT").arg("LOAD").arg(script).query(&mut self.redis_connection()?)?)
    }

    /// Where Redis is, past every proxy.
    pub fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.redis_port)
    }

    /// Stops the hosts. An error when one had died by itself.
    pub fn stop(&self) -> Result<()> {
        for node in &self.nodes {
            node.redis.set(Mode::Open);
            if let Some(Server::Stack(mut host)) = node.server().take() {
                host.stop()?;
            }
        }
        Ok(())
    }
}

impl Node {
    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the host, on a new port.
    pub fn start(&self) -> Result<()> {
        let number = self.starts.fetch_add(1, Ordering::SeqCst);
        let log = self.folder.join(format!("{number}.log"));
        let (server, base_url) = match &self.manifest {
            Some(manifest) => {
                let host = BareHost::start(manifest, &self.state_dir, &self.variables, &log)?;
                let base_url = host.base_url().to_owned();
                (Server::Bare(host), base_url)
            }
            None => {
                let options = HostOptions {
                    runtime: runtime(),
                    listen: "127.0.0.1:0".into(),
                    state_dir: self.state_dir.clone(),
                    variables: self.variables.clone(),
                    log: Some(log),
                    authorities: None,
                    environment: BTreeMap::new(),
                };
                let arguments: Vec<&OsStr> = self.arguments.iter().map(OsStr::new).collect();
                let host = Host::start_with(options, &runtime().manifest(), &arguments)?;
                let base_url = host.base_url().to_owned();
                (Server::Stack(host), base_url)
            }
        };
        let port: u64 = base_url.rsplit(':').next().and_then(|port| port.parse().ok()).context("a port")?;
        *self.server() = Some(server);
        self.address.fetch_or(port, Ordering::SeqCst);
        Ok(())
    }

    /// The port, 0 when there is none, and how often the host was killed.
    pub fn address(&self) -> (u16, u64) {
        let both = self.address.load(Ordering::SeqCst);
        ((both & 0xffff) as u16, both >> 16)
    }

    /// `SIGKILL`. Clients know beforehand that it comes.
    pub fn kill(&self) {
        let mut server = self.server();
        let generation = self.address().1 + 1;
        self.address.store(generation << 16, Ordering::SeqCst);
        match server.take() {
            Some(Server::Stack(mut host)) => host.kill(),
            Some(Server::Bare(host)) => drop(host),
            None => {}
        }
    }

    /// `SIGSTOP`. The process id, to see whether it had an effect.
    pub fn pause(&self) -> Option<u32> {
        match &*self.server() {
            Some(Server::Stack(host)) => {
                host.pause();
                Some(host.pid())
            }
            _ => None,
        }
    }

    /// `SIGCONT`.
    pub fn resume(&self) {
        if let Some(Server::Stack(host)) = &*self.server() {
            host.resume();
        }
    }
}

/// `RENTTRACKER_RUNTIME=spin` takes the real one.
pub fn runtime() -> Runtime {
    match std::env::var("RENTTRACKER_RUNTIME").as_deref() {
        Ok("spin") => Runtime::Spin,
        _ => Runtime::Embedded,
    }
}
