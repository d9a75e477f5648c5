//! A world of a test's own, for other variables or broken servers.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::fcntl::{FcntlArg, fcntl};
use stack::{Host, HostOptions, Redis};
use upstash::Double;

use super::protocol::{self, TOKEN};
use super::{JWT_SECRET, World, durations, leftovers, patient_variables, stage};

/// What has Spin, and the embedded host, make an instance for each request.
const ONE_REQUEST: [&str; 2] = ["--max-instance-reuse-count", "1"];

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Own host process, own database, own Redis.
pub struct Private {
    world: World,
    variables: BTreeMap<String, String>,
    state_dir: PathBuf,
    log: PathBuf,
    authorities: Option<PathBuf>,
    /// What the hosts have in their environment beside ours.
    environment: BTreeMap<String, String>,
    /// `None` when there never was one.
    redis: Option<Redis>,
    host: Host,
}

impl Private {
    /// With the variables of the shared world.
    pub fn start() -> Private {
        Private::with(&[])
    }

    /// With these variables set otherwise.
    pub fn with(changes: &[(&str, &str)]) -> Private {
        let redis = Redis::start(&stage::scratch().join(next("redis"))).expect("Redis starts");
        let url = redis.url();
        Private::on(Some(redis), &url, &stage::new_database().expect("a database"), None, changes)
    }

    /// With a host that writes what requests cost to the file [`Private::meter`]. The embedded host alone can. Its leases
    /// are long, so that few are renewed between the requests.
    pub fn metered() -> Private {
        Private::metered_with(&[], &[])
    }

    /// The same, whose instances answer again from what they got for as long as they may.
    pub fn metered_with_read_leases() -> Private {
        Private::metered_with(&[("read_lease_ms", "50")], &[])
    }

    /// The same, with an instance for each request: what the first request of an instance costs.
    pub fn metered_without_reuse() -> Private {
        Private::metered_with(&[], &ONE_REQUEST)
    }

    fn metered_with(changes: &[(&str, &str)], arguments: &[&str]) -> Private {
        let mut own = Private::with(&[changes, &[("breaker_lease_ms", "10000")]].concat());
        let meter = own.meter();
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        own.restart_host(&[&[OsStr::new("--meter"), meter.as_os_str()], &*arguments].concat());
        own
    }

    /// With a host that has these variables in its environment.
    pub fn with_environment(environment: BTreeMap<String, String>) -> Private {
        let mut own = Private::start();
        own.environment = environment;
        own.restart_host(&[]);
        own
    }

    /// With an instance for each request.
    pub fn without_reuse(changes: &[(&str, &str)]) -> Private {
        let mut own = Private::with(changes);
        own.restart_host(&ONE_REQUEST.map(OsStr::new));
        own
    }

    fn restart_host(&mut self, arguments: &[&OsStr]) {
        self.host.stop().expect("the host lived to the end");
        self.host = self.start_host(self.variables.clone(), &self.state_dir, &self.log, arguments);
        self.world.base_url = self.host.base_url().into();
    }

    /// Where nothing listens at Redis's address.
    pub fn without_redis(changes: &[(&str, &str)]) -> Private {
        let mut redis = Redis::start(&stage::scratch().join(next("redis"))).expect("Redis starts");
        let url = redis.url();
        redis.kill();
        Private::on(None, &url, &stage::new_database().expect("a database"), None, changes)
    }

    /// On a database of the caller's, given as its owner; the components' role is on its server.
    pub fn on_database(database_url: &str, changes: &[(&str, &str)]) -> Private {
        let redis = Redis::start(&stage::scratch().join(next("redis"))).expect("Redis starts");
        let url = redis.url();
        Private::on(Some(redis), &url, database_url, None, changes)
    }

    /// On a Redis of the caller's.
    pub fn on_redis(redis: Redis, changes: &[(&str, &str)]) -> Private {
        let url = redis.url();
        Private::on(Some(redis), &url, &stage::new_database().expect("a database"), None, changes)
    }

    /// On servers of the caller's, whose certificates these authorities vouch for. `changes` say how the components reach
    /// them; the test itself does so without TLS.
    pub fn over_tls(redis: Redis, database_url: &str, authorities: &Path, changes: &[(&str, &str)]) -> Private {
        let url = redis.url();
        Private::on(Some(redis), &url, database_url, Some(authorities.to_owned()), changes)
    }

    /// On a Redis of the caller's, to which the components go by this double.
    pub fn by_rest(redis: Redis, double: &Double, changes: &[(&str, &str)]) -> Private {
        let (url, rest) = (redis.url(), double.url());
        let way = [("redis_url", rest.as_str()), ("redis_address", &rest), ("redis_token", TOKEN)];
        let changes = [&way[..], changes].concat();
        Private::on(Some(redis), &url, &stage::new_database().expect("a database"), None, &changes)
    }

    fn on(
        redis: Option<Redis>,
        redis_url: &str,
        database_url: &str,
        authorities: Option<PathBuf>,
        changes: &[(&str, &str)],
    ) -> Private {
        let login_url = stage::login_url(database_url).expect("a URL");
        let mut variables: BTreeMap<String, String> = patient_variables(redis_url, &login_url);
        variables.extend(changes.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let instance = protocol::key_prefix(&variables);
        let state_dir = stage::scratch().join(next("host"));
        let log = state_dir.with_extension("log");
        let options = options(variables.clone(), &state_dir, &log, authorities.clone(), BTreeMap::new());
        let host = start_host(options, &[]);
        let world = World {
            base_url: host.base_url().into(),
            redis_url: redis_url.into(),
            database_url: database_url.into(),
            login_url,
            instance,
            secret: JWT_SECRET.into(),
        };
        Private { world, variables, state_dir, log, authorities, environment: BTreeMap::new(), redis, host }
    }

    /// Waits until the host's log has this. An answer may come before the lines that were logged on its way.
    #[track_caller]
    pub fn await_logged(&self, text: &str) {
        super::eventually(&format!("the log has {text:?}"), || {
            std::fs::read_to_string(&self.log).expect("a log").contains(text).then_some(())
        });
    }

    /// A second host process on the same Redis, database and key-value store.
    pub fn another_host(&self) -> (Host, World) {
        self.another_host_with(&[])
    }

    /// [`Private::another_host`], with these variables set otherwise.
    pub fn another_host_with(&self, changes: &[(&str, &str)]) -> (Host, World) {
        self.host_in(&self.state_dir, changes)
    }

    /// [`Private::another_host_with`], but with a key-value store of its own.
    pub fn host_apart(&self, changes: &[(&str, &str)]) -> (Host, World) {
        self.host_in(&stage::scratch().join(next("apart")), changes)
    }

    fn host_in(&self, state_dir: &Path, changes: &[(&str, &str)]) -> (Host, World) {
        let log = stage::scratch().join(next("host")).with_extension("log");
        let mut variables = self.variables.clone();
        variables.extend(changes.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let host = self.start_host(variables, state_dir, &log, &[]);
        let world = World { base_url: host.base_url().into(), ..self.world.clone() };
        (host, world)
    }

    fn start_host(
        &self,
        variables: BTreeMap<String, String>,
        state_dir: &Path,
        log: &Path,
        arguments: &[&OsStr],
    ) -> Host {
        start_host(options(variables, state_dir, log, self.authorities.clone(), self.environment.clone()), arguments)
    }

    /// Overwrites the key-value store's file, under the hosts' feet.
    pub fn break_key_value_store(&self) {
        std::fs::write(self.key_value_store(), [b'x'; 8192]).expect("the store's file");
    }

    /// Removes the key-value store's file, under the hosts' feet.
    pub fn remove_key_value_store(&self) {
        std::fs::remove_file(self.key_value_store()).expect("the store's file");
    }

    /// Locks the key-value store's file as SQLite does to write it (`sqlite3_file_locking` in its `os_unix.c`: the bytes
    /// PENDING, RESERVED and SHARED), until the file is dropped.
    pub fn lock_key_value_store(&self) -> File {
        const PENDING_BYTE: i64 = 0x4000_0000;
        const LENGTH: i64 = 2 + 510;
        let file = File::options().read(true).write(true).open(self.key_value_store()).expect("the store's file");
        let lock = nix::libc::flock {
            l_type: i16::try_from(nix::libc::F_WRLCK).expect("a small number"),
            l_whence: i16::try_from(nix::libc::SEEK_SET).expect("a small number"),
            l_start: PENDING_BYTE,
            l_len: LENGTH,
            l_pid: 0,
        };
        fcntl(&file, FcntlArg::F_SETLKW(&lock)).expect("the lock");
        file
    }

    fn key_value_store(&self) -> PathBuf {
        let is_store = |file: &PathBuf| file.extension().is_some_and(|it| it == "db");
        files_under(&self.state_dir).find(is_store).expect("the host keeps its store in a file")
    }

    /// What the host and the components write.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// What requests cost, in lines of JSON.
    pub fn meter(&self) -> PathBuf {
        self.log.with_extension("meter")
    }

    /// The Redis of this world, for a test to break.
    pub fn redis(&mut self) -> &mut Redis {
        self.redis.as_mut().expect("this world has a Redis")
    }
}

impl Deref for Private {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Drop for Private {
    /// What a test leaves in its own Redis is held to the same rules as the shared one, and a host that died on the
    /// way is found.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.host.stop().expect("the host lived to the end");
        if let Some(redis) = &mut self.redis {
            if !redis.is_running() {
                return;
            }
            redis.resume();
            let found = leftovers::unruly_keys(&redis.url(), &self.world.instance).expect("Redis answers");
            assert!(found.is_empty(), "left in Redis: {found:#?}");
        }
    }
}

fn options(
    mut variables: BTreeMap<String, String>,
    state_dir: &Path,
    log: &Path,
    authorities: Option<PathBuf>,
    environment: BTreeMap<String, String>,
) -> HostOptions {
    protocol::point_at_double(&mut variables);
    let log = Some(log.to_owned());
    let (state_dir, listen) = (state_dir.to_owned(), "127.0.0.1:0".to_owned());
    HostOptions { runtime: stage::runtime(), listen, state_dir, variables, log, authorities, environment }
}

fn start_host(options: HostOptions, arguments: &[&OsStr]) -> Host {
    durations::of_start(|| Host::start_with(options, stage::manifest(), arguments)).expect("the host starts")
}

fn files_under(folder: &Path) -> Box<dyn Iterator<Item = PathBuf>> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    Box::new(entries.flat_map(|path| if path.is_dir() { files_under(&path) } else { Box::new([path].into_iter()) }))
}

/// A folder name that no other world of this run has.
pub fn next(what: &str) -> String {
    format!("{what}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
