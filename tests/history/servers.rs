//! What all trials share: one PostgreSQL, started when the first asks for it, with a database for each.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use postgres::{Client, NoTls};
use stack::{Pooler, Postgres};
use tempfile::TempDir;

use crate::leftovers;

/// The migrated database that every other is copied from.
const TEMPLATE: &str = "template_renttracker";

/// Of the role that the components log in as.
const LOGIN_PASSWORD: &str = "a password of the history checker";

static SERVERS: Mutex<Option<Servers>> = Mutex::new(None);

struct Servers {
    postgres: Postgres,
    directory: TempDir,
    count: u32,
}

/// A database with the schema, and where its server listens.
pub struct Database {
    /// As the owner, past every proxy.
    pub url: String,
    /// The server's port.
    pub port: u16,
}

impl Database {
    /// A connection of one's own.
    pub fn connect(&self) -> Result<Client> {
        Client::connect(&self.url, NoTls).context("PostgreSQL does not answer")
    }

    /// A pooler before it that drops what the components ask for, whose role has no limit of its own here either. And a commit
    /// waits for a synchronous standby: those of tests usually do not wait for the disk, and so for none.
    pub fn pooled(&self, folder: &Path) -> Result<Pooler> {
        let mut client = self.connect()?;
        let name: String = client.query_one("SELECT current_database()::text", &[])?.get(0);
        client.batch_execute(&format!(
            "ALTER ROLE {} IN DATABASE {name} SET statement_timeout = 0; \
             ALTER DATABASE {name} SET synchronous_commit = on",
            stack::LOGIN
        ))?;
        Pooler::start(folder, &stack::login_url(&self.url, LOGIN_PASSWORD)?)
    }

    /// The URL for the components, through a proxy on another port.
    pub fn login_url_through(&self, port: u16) -> Result<String> {
        stack::login_url(&self.url.replace(&format!(":{}/", self.port), &format!(":{port}/")), LOGIN_PASSWORD)
    }
}

fn servers() -> MutexGuard<'static, Option<Servers>> {
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn started(slot: &mut Option<Servers>) -> Result<&mut Servers> {
    if slot.is_none() {
        // Open to the user that PostgreSQL runs as under root.
        let open = std::fs::Permissions::from_mode(0o755);
        let directory = tempfile::Builder::new().prefix("renttracker-history-").permissions(open).tempdir()?;
        let postgres = Postgres::start_for_tests(&directory.path().join("postgres"))?;
        postgres.create_database(TEMPLATE)?;
        stack::migrate(&postgres.url(TEMPLATE))?;
        stack::ensure_login(&postgres.url(TEMPLATE), LOGIN_PASSWORD)?;
        *slot = Some(Servers { postgres, directory, count: 0 });
    }
    slot.as_mut().context("the servers were started above")
}

/// A fresh database with the schema.
pub fn new_database() -> Result<Database> {
    let mut slot = servers();
    let servers = started(&mut slot)?;
    servers.count += 1;
    let name = format!("history_{}", servers.count);
    servers.postgres.create_database_from(&name, TEMPLATE)?;
    Ok(Database { url: servers.postgres.url(&name), port: servers.postgres.port() })
}

/// A folder of one's own.
pub fn scratch(what: &str) -> Result<PathBuf> {
    let mut slot = servers();
    let servers = started(&mut slot)?;
    servers.count += 1;
    let folder = servers.directory.path().join(format!("{what}-{}", servers.count));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Stops what was started, and tells which processes are left. `keep` leaves the logs where they are.
pub fn finish(keep: bool) -> Vec<String> {
    let Some(Servers { postgres, directory, .. }) = servers().take() else {
        return Vec::new();
    };
    drop(postgres);
    let left = leftovers::processes_in(directory.path());
    if keep {
        println!("the hosts' logs are in {}", directory.keep().display());
    }
    left
}
