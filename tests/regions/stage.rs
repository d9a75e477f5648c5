//! Three regions, all real: one primary, and for each region a standby, a Redis, a key-value store, two hosts, and links that can
//! be cut or slowed.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::proxy::{Link, Network};
use postgres::{Client, NoTls};
use stack::{Host, HostOptions, Postgres, Runtime};
use tempfile::TempDir;

use crate::leftovers;

/// The regions, by the name of each.
pub const REGIONS: [&str; 3] = ["north", "south", "west"];
/// How many hosts each has.
pub const HOSTS: usize = 2;
/// Used nowhere else.
pub const JWT_SECRET: &str = "a secret of the checker of regions, 32 bytes or more";
/// Of the role that the components log in as.
const LOGIN_PASSWORD: &str = "a password of the checker of regions";
const DATABASE: &str = "regions";
/// For a standby to have all that was committed, on a busy machine.
const REPLAY_PATIENCE: Duration = Duration::from_secs(30);

/// For the kernel to stop a process, on a busy machine.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// Everything. The fields are in the order in which they are stopped.
pub struct Stage {
    /// In the order of [`REGIONS`].
    pub regions: Vec<Region>,
    database_url: String,
    primary: Postgres,
    _network: Network,
    directory: TempDir,
}

/// One region.
pub struct Region {
    /// Its hosts.
    pub nodes: Vec<Arc<Node>>,
    /// From the primary to the standby.
    pub wal: Arc<Link>,
    servers: Mutex<stack::Region>,
}

/// One host.
pub struct Node {
    /// Its link to the primary.
    pub primary: Arc<Link>,
    /// The port and, above it, how often the host was killed. Port 0: it is not there.
    address: AtomicU64,
    starts: AtomicU32,
    host: Mutex<Option<Host>>,
    folder: PathBuf,
    state_dir: PathBuf,
    variables: BTreeMap<String, String>,
    manifest: PathBuf,
}

impl Stage {
    /// Starts everything, with hosts that serve `manifest` (that of the repository, unless told otherwise) and these variables.
    pub fn start(variables: &[(&str, String)], manifest: Option<PathBuf>, seed: u64) -> Result<Arc<Stage>> {
        // Open to the user that PostgreSQL runs as under root.
        let open = std::fs::Permissions::from_mode(0o755);
        let directory = tempfile::Builder::new().prefix("renttracker-regions-").permissions(open).tempdir()?;
        let primary = Postgres::start_for_tests(&directory.path().join("primary"))?;
        primary.create_database(DATABASE)?;
        let database_url = primary.url(DATABASE);
        stack::migrate(&database_url)?;
        let login_url = stack::ensure_login(&database_url, LOGIN_PASSWORD)?;
        let settings = format!(
            // As in production: what is not written to the log is not sent to a standby either.
            "ALTER DATABASE {DATABASE} SET synchronous_commit = on"
        );
        connect(&database_url)?.batch_execute(&settings)?;
        let (network, session_key) = (Network::start()?, stack::session_key()?);
        let manifest = manifest.unwrap_or_else(|| Runtime::Embedded.manifest());
        let mut regions = Vec::new();
        for (number, name) in REGIONS.into_iter().enumerate() {
            let folder = directory.path().join(name);
            std::fs::create_dir_all(&folder)?;
            let wal = network.link(primary.port(), (0, 0), seed ^ number as u64)?;
            let servers = stack::Region::start(name, &folder, &primary, wal.port())?;
            let mut nodes = Vec::new();
            for host in 0..HOSTS {
                let link = network.link(primary.port(), (0, 0), seed.wrapping_add((number * HOSTS + host) as u64))?;
                let through = login_url.replace(&format!(":{}/", primary.port()), &format!(":{}/", link.port()));
                let mut all = stack::variables(&servers.redis.url(), &through, JWT_SECRET);
                all.extend(servers.variables(&login_url, &session_key)?);
                all.extend(variables.iter().map(|(name, value)| ((*name).into(), value.clone())));
                let (folder, state_dir) = (folder.join(format!("host-{host}")), folder.join("state"));
                std::fs::create_dir_all(&folder)?;
                nodes.push(Arc::new(Node {
                    primary: link,
                    address: AtomicU64::new(0),
                    starts: AtomicU32::new(0),
                    host: Mutex::new(None),
                    folder,
                    state_dir,
                    variables: all,
                    manifest: manifest.clone(),
                }));
            }
            regions.push(Region { nodes, wal, servers: Mutex::new(servers) });
        }
        let stage = Stage { regions, database_url, primary, _network: network, directory };
        for region in &stage.regions {
            stage.await_replay(region)?;
            region.nodes.iter().try_for_each(|node| node.start())?;
        }
        Ok(Arc::new(stage))
    }

    /// A session at the primary, as the owner, past every proxy.
    pub fn connect(&self) -> Result<Client> {
        connect(&self.database_url)
    }

    /// How many bytes of the log the region's standby has yet to replay.
    pub fn lag(&self, region: &Region) -> Result<u64> {
        let position: String = self.connect()?.query_one("SELECT pg_current_wal_lsn()::text", &[])?.get(0);
        let statement = "SELECT greatest(0, $1::text::pg_lsn - pg_last_wal_replay_lsn())::bigint";
        let mut standby = connect(&region.servers().standby.url("postgres"))?;
        let lag: i64 = standby.query_one(statement, &[&position])?.get(0);
        Ok(u64::try_from(lag).unwrap_or_default())
    }

    /// How many statements the region's hosts have had answered by its standby.
    pub fn near_statements(&self, region: &Region) -> Result<u64> {
        let statement = "SELECT xact_commit FROM pg_stat_database WHERE datname = $1";
        let mut standby = connect(&region.servers().standby.url("postgres"))?;
        let count: i64 = standby.query_one(statement, &[&DATABASE])?.get(0);
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Waits until the region's standby has all that was committed before.
    fn await_replay(&self, region: &Region) -> Result<()> {
        let deadline = Instant::now() + REPLAY_PATIENCE;
        while self.lag(region)? > 0 {
            ensure!(Instant::now() < deadline, "a standby does not catch up");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Stops the hosts, which must have lived until now.
    pub fn stop(&self) -> Result<()> {
        for node in self.regions.iter().flat_map(|region| &region.nodes) {
            if let Some(mut host) = node.host().take() {
                host.stop()?;
            }
        }
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for region in &mut self.regions {
            for node in &region.nodes {
                node.primary.unwatch();
                drop(node.host().take());
            }
            let servers = region.servers.get_mut().unwrap_or_else(PoisonError::into_inner);
            servers.redis.stop();
            servers.standby.stop();
        }
        self.primary.stop();
        let left = leftovers::processes_in(self.directory.path());
        if !left.is_empty() {
            eprintln!("left over: {left:#?}");
        }
        if std::env::var_os("RENTTRACKER_KEEP_LOGS").is_some() || std::thread::panicking() {
            self.directory.disable_cleanup(true);
            println!("the logs are in {}", self.directory.path().display());
        }
    }
}

impl Region {
    /// Its Redis and its standby, to be broken.
    pub fn servers(&self) -> MutexGuard<'_, stack::Region> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The links of its hosts to the primary.
    pub fn links(&self) -> impl Iterator<Item = &Arc<Link>> {
        self.nodes.iter().map(|node| &node.primary)
    }
}

impl Node {
    fn host(&self) -> MutexGuard<'_, Option<Host>> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the host, on a new port.
    pub fn start(&self) -> Result<()> {
        let number = self.starts.fetch_add(1, Ordering::SeqCst);
        let options = HostOptions {
            runtime: Runtime::Embedded,
            listen: "127.0.0.1:0".into(),
            state_dir: self.state_dir.clone(),
            variables: self.variables.clone(),
            log: Some(self.folder.join(format!("{number}.log"))),
            authorities: None,
            environment: BTreeMap::new(),
        };
        let host = Host::start_with(options, &self.manifest, &[])?;
        let port: u64 = host.base_url().rsplit(':').next().and_then(|port| port.parse().ok()).context("a port")?;
        *self.host() = Some(host);
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
        let mut host = self.host();
        let generation = self.address().1 + 1;
        self.address.store(generation << 16, Ordering::SeqCst);
        if let Some(mut host) = host.take() {
            host.kill();
        }
    }

    /// `SIGSTOP`. Whether it had its effect.
    pub fn pause(&self) -> bool {
        let host = self.host();
        let Some(host) = &*host else { return false };
        host.pause();
        let is_stopped = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap_or_default();
            status.contains("State:\tT")
        };
        let deadline = Instant::now() + STOP_PATIENCE;
        while !is_stopped() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        is_stopped()
    }

    /// `SIGCONT`.
    pub fn resume(&self) {
        if let Some(host) = &*self.host() {
            host.resume();
        }
    }
}

fn connect(url: &str) -> Result<Client> {
    Client::connect(url, NoTls).context("PostgreSQL does not answer")
}
