//! A PostgreSQL server for development and tests.

mod cluster;
mod folder;
mod programs;
mod standby;

use std::path::Path;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use postgres::{Client, NoTls};

use crate::process::Process;
use cluster::{Cluster, Purpose, STOP_PATIENCE, SUPERUSER};

pub use folder::server_user;
pub use programs::{POSTGRES_PROGRAMS, postgres_binaries};

/// A PostgreSQL cluster of its own on a free loopback port. Dropping it stops it; the data stay in its folder.
pub struct Postgres {
    process: Process,
    cluster: Cluster,
    port: u16,
}

impl Postgres {
    /// Starts the cluster in `dir`, made first if there is none. Safe settings: what was committed stays.
    ///
    /// PostgreSQL refuses to run as root; under root it runs as `postgres` or `nobody`, who gets the folder. If that
    /// user cannot reach `dir` the cluster is kept elsewhere, where [`Postgres::data_dir`] says.
    pub fn start(dir: &Path) -> Result<Postgres> {
        Postgres::start_for(dir, Purpose::Keep)
    }

    /// The same with durability switched off. Statements can be counted in `pg_stat_statements` where the server
    /// has that extension (Debian's does); it exists in every database made by [`Postgres::create_database`].
    pub fn start_for_tests(dir: &Path) -> Result<Postgres> {
        Postgres::start_for(dir, Purpose::Test)
    }

    fn start_for(dir: &Path, purpose: Purpose) -> Result<Postgres> {
        let cluster = Cluster::prepare(dir, purpose)?;
        let (process, port) = cluster.start()?;
        let server = Postgres { process, cluster, port };
        if server.cluster.counts_statements() {
            server
                .connect("template1")?
                .batch_execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
                .context("cannot create pg_stat_statements")?;
        }
        Ok(server)
    }

    /// `postgres://USER:PASSWORD@127.0.0.1:PORT/database`
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}:{}@127.0.0.1:{}/{database}", self.cluster.password, self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id of the postmaster.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether the postmaster still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.exited().is_none()
    }

    /// Where the cluster is: the folder given at the start, unless the server's user could not reach it.
    pub fn data_dir(&self) -> &Path {
        &self.cluster.home
    }

    /// Makes an empty database. An error if there is one of that name.
    pub fn create_database(&self, name: &str) -> Result<()> {
        self.create_database_from(name, "template1")
    }

    /// Makes a copy of `template`, which must have no connection: quicker than migrating anew for every test.
    pub fn create_database_from(&self, name: &str, template: &str) -> Result<()> {
        let mut client = self.connect("postgres")?;
        let statement = format!("CREATE DATABASE {} TEMPLATE {}", quoted(name), quoted(template));
        client.batch_execute(&statement).with_context(|| format!("cannot create the database {name}"))
    }

    /// Makes an empty database unless there is one of that name already. Says whether it did.
    pub fn ensure_database(&self, name: &str) -> Result<bool> {
        let mut client = self.connect("postgres")?;
        let known = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name])?.is_some();
        if !known {
            self.create_database(name)?;
        }
        Ok(!known)
    }

    /// `SIGKILL` to the postmaster and all its processes, as when the machine runs out of memory.
    pub fn kill(&mut self) {
        self.process.kill_tree();
    }

    /// `SIGSTOP` to all its processes: connections stay open and nothing is answered.
    pub fn pause(&self) {
        self.process.pause_tree();
    }

    /// `SIGCONT` after [`Postgres::pause`].
    pub fn resume(&self) {
        self.process.resume_tree();
    }

    /// PostgreSQL's fast shutdown: running statements are cancelled, then it checkpoints and ends.
    pub fn stop(&mut self) {
        self.process.stop(Signal::SIGINT, STOP_PATIENCE);
    }

    /// Starts it again, on the same port, after [`Postgres::kill`] or [`Postgres::stop`].
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        self.process = self.cluster.launch(self.port)?;
        Ok(())
    }

    fn connect(&self, database: &str) -> Result<Client> {
        Client::connect(&self.url(database), NoTls).context("cannot connect to the PostgreSQL that was just started")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
