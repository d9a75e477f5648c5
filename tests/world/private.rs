//! A world of a test's own, for other variables or broken servers.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use stack::{Host, HostOptions, Redis};

use super::{JWT_SECRET, World, leftovers, patient_variables, stage};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Own host process, own database, own Redis.
pub struct Private {
    world: World,
    variables: BTreeMap<String, String>,
    state_dir: PathBuf,
    log: PathBuf,
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
        Private::on(Some(redis), &url, &stage::new_database().expect("a database"), changes)
    }

    /// With a host that writes what requests cost to the file [`Private::meter`]. The embedded host alone can. Its leases
    /// are long, so that few are renewed between the requests.
    pub fn metered() -> Private {
        let mut own = Private::with(&[("breaker_lease_ms", "10000")]);
        own.host.stop().expect("the host lived to the end");
        let meter = own.meter();
        let arguments = [OsStr::new("--meter"), meter.as_os_str()];
        own.host = start_host(own.variables.clone(), &own.state_dir, &own.log, &arguments);
        own.world.base_url = own.host.base_url().into();
        own
    }

    /// Where nothing listens at Redis's address.
    pub fn without_redis(changes: &[(&str, &str)]) -> Private {
        let mut redis = Redis::start(&stage::scratch().join(next("redis"))).expect("Redis starts");
        let url = redis.url();
        redis.kill();
        Private::on(None, &url, &stage::new_database().expect("a database"), changes)
    }

    /// On a database of the caller's.
    pub fn on_database(database_url: &str, changes: &[(&str, &str)]) -> Private {
        let redis = Redis::start(&stage::scratch().join(next("redis"))).expect("Redis starts");
        let url = redis.url();
        Private::on(Some(redis), &url, database_url, changes)
    }

    fn on(redis: Option<Redis>, redis_url: &str, database_url: &str, changes: &[(&str, &str)]) -> Private {
        let mut variables: BTreeMap<String, String> = patient_variables(redis_url, database_url);
        variables.extend(changes.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let instance = variables.get("redis_instance_name").map_or("RentTracker_", String::as_str).to_owned();
        let state_dir = stage::scratch().join(next("host"));
        let log = state_dir.with_extension("log");
        let host = start_host(variables.clone(), &state_dir, &log, &[]);
        let world = World {
            base_url: host.base_url().into(),
            redis_url: redis_url.into(),
            database_url: database_url.into(),
            instance,
            secret: JWT_SECRET.into(),
        };
        Private { world, variables, state_dir, log, redis, host }
    }

    /// A second host process on the same Redis, database and key-value store.
    pub fn another_host(&self) -> (Host, World) {
        self.another_host_with(&[])
    }

    /// [`Private::another_host`], with these variables set otherwise.
    pub fn another_host_with(&self, changes: &[(&str, &str)]) -> (Host, World) {
        let log = stage::scratch().join(next("host")).with_extension("log");
        let mut variables = self.variables.clone();
        variables.extend(changes.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let host = start_host(variables, &self.state_dir, &log, &[]);
        let world = World { base_url: host.base_url().into(), ..self.world.clone() };
        (host, world)
    }

    /// Overwrites the key-value store's file, under the hosts' feet.
    pub fn break_key_value_store(&self) {
        let mut broken = 0;
        for file in files_under(&self.state_dir).filter(|file| file.extension().is_some_and(|it| it == "db")) {
            std::fs::write(file, [b'x'; 8192]).expect("the store's file");
            broken += 1;
        }
        assert!(broken > 0, "no store in {}", self.state_dir.display());
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

fn start_host(variables: BTreeMap<String, String>, state_dir: &Path, log: &Path, arguments: &[&OsStr]) -> Host {
    let log = Some(log.to_owned());
    let (state_dir, listen) = (state_dir.to_owned(), "127.0.0.1:0".to_owned());
    let options = HostOptions { runtime: stage::runtime(), listen, state_dir, variables, log };
    let manifest = stack::repository_root().join("spin.toml");
    Host::start_with(options, &manifest, arguments).expect("the host starts")
}

fn files_under(folder: &Path) -> Box<dyn Iterator<Item = PathBuf>> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    Box::new(entries.flat_map(|path| if path.is_dir() { files_under(&path) } else { Box::new([path].into_iter()) }))
}

/// A folder name that no other world of this run has.
pub fn next(what: &str) -> String {
    format!("{what}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
