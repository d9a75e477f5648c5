//! What all tests share, started once and taken down at the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use anyhow::{Context, Result, ensure};
use postgres::{Client, NoTls};
use stack::{Edition, Host, HostOptions, Pooler, Postgres, Redis, Runtime};
use tempfile::TempDir;

use super::{JWT_SECRET, LOGIN_PASSWORD, World, leftovers, patient_variables, protocol};

/// The migrated database that every other is copied from. Nobody connects to it, or it could not be copied.
const TEMPLATE: &str = "template_renttracker";
/// The database of the shared world.
const SHARED: &str = "shared";

static STAGE: OnceLock<Facts> = OnceLock::new();

/// What a test needs to know of the stage; the servers themselves belong to `main`.
struct Facts {
    world: World,
    /// The maintenance database of the shared server.
    admin_url: String,
    /// The URL of a database of that server, with this in place of its name.
    any_url: String,
    directory: PathBuf,
    postgres_log: PathBuf,
    manifest: PathBuf,
    /// Where the shared server listens, and the pooler that stands before it in this run.
    postgres_port: u16,
    pooler_port: Option<u16>,
    /// PostgreSQL copies a template for one at a time.
    copying: Mutex<u32>,
}

fn facts() -> &'static Facts {
    STAGE.get().expect("main starts the stage before the trials")
}

/// The world that tests share.
pub fn world() -> &'static World {
    &facts().world
}

/// Which runtime serves the components: `RENTTRACKER_RUNTIME=spin` takes the real one.
pub fn runtime() -> Runtime {
    match std::env::var("RENTTRACKER_RUNTIME").as_deref() {
        Ok("spin") => Runtime::Spin,
        _ => Runtime::Embedded,
    }
}

/// The manifest that is served. `RENTTRACKER_CHAINING=without` takes components that reach no other: those of `spin-4.0.toml`, but
/// built for the embedded host (`cargo xtask test --without-chaining`).
fn choose_manifest() -> Result<PathBuf> {
    if !std::env::var("RENTTRACKER_CHAINING").is_ok_and(|chaining| chaining == "without") {
        return Ok(runtime().manifest());
    }
    let edition = Edition::Spin4_0;
    let text = std::fs::read_to_string(stack::repository_root().join(edition.manifest()))?;
    let built = format!("target/wasm32-wasip2/{}/", edition.profile());
    ensure!(text.contains(&built), "{} names nothing in {built}", edition.manifest());
    let folder = stack::repository_root().join("target/without-chaining");
    let manifest = folder.join("spin.toml");
    std::fs::write(&manifest, text.replace(&built, "wasm32-wasip2/release/"))?;
    Ok(manifest)
}

/// Whether writes are answered by a component of their own, or by those that own the paths.
pub fn writes_are_chained() -> bool {
    runtime().edition() == Edition::Spin4_1 && !std::env::var("RENTTRACKER_CHAINING").is_ok_and(|it| it == "without")
}

/// Whether the components reach the shared PostgreSQL through a pooler: `RENTTRACKER_POOLER=pgbouncer`.
fn is_pooled() -> bool {
    std::env::var("RENTTRACKER_POOLER").is_ok_and(|pooler| pooler == "pgbouncer")
}

/// The URL of a database for the components; through the pooler, if it is one of the shared server and the run has a pooler.
pub fn login_url(database_url: &str) -> Result<String> {
    through_pooler(database_url, facts().postgres_port, facts().pooler_port)
}

fn through_pooler(database_url: &str, postgres: u16, pooler: Option<u16>) -> Result<String> {
    let url = stack::login_url(database_url, LOGIN_PASSWORD)?;
    Ok(match pooler {
        Some(pooler) => url.replace(&format!(":{postgres}/"), &format!(":{pooler}/")),
        None => url,
    })
}

/// The servers that all tests share.
pub struct Stage {
    host: Host,
    redis: Redis,
    pooler: Option<Pooler>,
    postgres: Postgres,
    directory: TempDir,
}

impl Stage {
    /// Starts Redis, PostgreSQL and the host, with the schema in place.
    pub fn start() -> Result<Stage> {
        let directory = directory()?;
        let path = directory.path();
        let redis = Redis::start(&path.join("redis"))?;
        let postgres = Postgres::start_for_tests(&path.join("postgres"))?;
        prepare(&postgres)?;
        let database_url = postgres.url(SHARED);
        let direct_url = stack::ensure_login(&database_url, LOGIN_PASSWORD)?;
        let pooler = is_pooled().then(|| Pooler::start(&path.join("pooler"), &direct_url)).transpose()?;
        let pooler_port = pooler.as_ref().map(Pooler::port);
        let login_url = through_pooler(&database_url, postgres.port(), pooler_port)?;
        let mut variables = patient_variables(&redis.url(), &login_url);
        protocol::point_at_double(&mut variables);
        let instance = protocol::key_prefix(&variables);
        let manifest = choose_manifest()?;
        let options = HostOptions {
            runtime: runtime(),
            listen: "127.0.0.1:0".into(),
            state_dir: path.join("host"),
            variables,
            log: Some(path.join("host.log")),
            authorities: None,
            environment: BTreeMap::new(),
        };
        let host = Host::start_with(options, &manifest, &[])?;
        let world = World {
            base_url: host.base_url().into(),
            redis_url: redis.url(),
            database_url,
            login_url,
            instance,
            secret: JWT_SECRET.into(),
        };
        let facts = Facts {
            world,
            admin_url: postgres.url("postgres"),
            any_url: postgres.url("{}"),
            directory: path.into(),
            manifest,
            postgres_log: postgres.data_dir().join("postgres.log"),
            postgres_port: postgres.port(),
            pooler_port,
            copying: Mutex::new(0),
        };
        ensure!(STAGE.set(facts).is_ok(), "the stage is started once");
        Ok(Stage { host, redis, pooler, postgres, directory })
    }

    /// Stops everything and tells what should not be there: keys that nobody would clear away, invalidations that were
    /// never made, and processes.
    pub fn finish(self) -> Result<Vec<String>> {
        let mut found = leftovers::unruly_keys(&self.redis.url(), &facts().world.instance)?;
        found.extend(leftovers::outbox(&facts().world.database_url)?);
        let Stage { mut host, redis, pooler, postgres, directory } = self;
        if let Err(error) = host.stop() {
            found.push(format!("the shared host: {error:#}"));
        }
        drop((host, redis, pooler, postgres));
        found.extend(leftovers::processes_in(directory.path()));
        if std::env::var_os("RENTTRACKER_KEEP_LOGS").is_some() {
            println!("logs: {}", directory.keep().display());
        }
        Ok(found)
    }
}

/// A folder that a server which gives up root's rights can still reach.
pub fn directory() -> Result<TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::Permissions::from_mode(0o755);
    tempfile::Builder::new().prefix("renttracker-e2e-").permissions(open).tempdir().context("cannot make a folder")
}

/// Puts the schema into the template, and copies the shared database from it.
pub fn prepare(postgres: &Postgres) -> Result<()> {
    postgres.create_database(TEMPLATE)?;
    stack::migrate(&postgres.url(TEMPLATE))?;
    postgres.create_database_from(SHARED, TEMPLATE)?;
    // The counters are those of the whole server; the suites read them from here.
    let mut admin = Client::connect(&postgres.url("postgres"), NoTls)?;
    Ok(admin.batch_execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")?)
}

/// A fresh database with the schema, on the shared server: its URL.
pub fn new_database() -> Result<String> {
    database_from(TEMPLATE)
}

fn database_from(template: &str) -> Result<String> {
    let mut number = facts().copying.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    *number += 1;
    let name = format!("own_{number}");
    admin()?.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"))?;
    Ok(facts().any_url.replace("{}", &name))
}

/// A fresh database without the schema, made with these options of `CREATE DATABASE`, on the shared server: its URL.
pub fn empty_database(options: &str) -> Result<String> {
    database_from(&format!("template0 {options}"))
}

/// The maintenance database of the shared server.
pub fn admin() -> Result<Client> {
    Client::connect(&facts().admin_url, NoTls).context("cannot reach the shared PostgreSQL")
}

/// Where private worlds keep their files.
pub fn scratch() -> &'static Path {
    &facts().directory
}

/// The manifest that every host serves.
pub fn manifest() -> &'static Path {
    &facts().manifest
}

/// What the shared PostgreSQL writes.
pub fn postgres_log() -> &'static Path {
    &facts().postgres_log
}
