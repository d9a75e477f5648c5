//! A hot standby by streaming replication.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::Postgres;
use super::cluster::{Cluster, SUPERUSER};

/// How much of its log the primary keeps for a standby that was cut off: minutes of what tests and `up` write.
const WAL_KEPT: &str = "256MB";

impl Postgres {
    /// Starts a hot standby of this server in `dir`, copied anew. It reaches this server by `port`, which may be a proxy's.
    pub fn start_standby(&self, dir: &Path, port: u16) -> Result<Postgres> {
        let mut client = self.connect("postgres")?;
        client.batch_execute(&format!("ALTER SYSTEM SET wal_keep_size = '{WAL_KEPT}'"))?;
        client.batch_execute("SELECT pg_reload_conf()")?;
        let cluster = Cluster::copy(&self.cluster, dir, port)?;
        let (process, port) = cluster.start()?;
        Ok(Postgres { process, cluster, port })
    }
}

impl Cluster {
    /// The files of a standby of `primary`, in `dir`.
    fn copy(primary: &Cluster, dir: &Path, port: u16) -> Result<Cluster> {
        let copied = Cluster::at(dir, primary)?;
        let data = copied.home.join("data");
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
        }
        let mut command = copied.command("pg_basebackup");
        command.arg("--pgdata").arg(&data).args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        command.args([
            "--username",
            SUPERUSER,
            "--no-password",
            "--checkpoint=fast",
            "--wal-method=stream",
            "--no-sync",
        ]);
        // Into `postgresql.auto.conf` and `standby.signal`, which its user alone can read.
        command.arg("--write-recovery-conf").env("PGPASSWORD", &copied.password);
        let output = command.output().context("cannot start pg_basebackup")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pg_basebackup could not copy to {}: {said}", copied.home.display());
        Ok(copied)
    }
}
