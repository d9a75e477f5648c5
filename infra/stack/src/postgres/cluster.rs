//! The files of a PostgreSQL cluster, and how its server is started.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use nix::sys::signal::Signal;
use nix::unistd::{User, chown};

use super::folder::{place, server_user};
use super::programs::postgres_binaries;
use crate::ports::{ATTEMPTS, free_port};
use crate::process::{Process, tail, wait_until};

/// Long enough for crash recovery after a `SIGKILL`, on a machine busy with compilers.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long a shutdown may take, its checkpoint included.
pub const STOP_PATIENCE: Duration = Duration::from_secs(15);
const PAUSE_BETWEEN_ATTEMPTS: Duration = Duration::from_millis(300);

/// The superuser of the cluster, and the only user.
pub const SUPERUSER: &str = "postgres";

/// What every cluster is started with. A pool of a component holds up to 64 connections, and there are several.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    // TCP on loopback is enough, and a socket file would need a folder that both users can reach.
    "unix_socket_directories=",
    "max_connections=300",
    "timezone=UTC",
    "log_timezone=UTC",
    "logging_collector=off",
    "log_line_prefix=%m [%p] %d ",
    // Of a standby alone: a moment after its link is back, not 5 s.
    "wal_retrieve_retry_interval=100ms",
];

/// A cluster that is thrown away after the test need not survive a power cut.
const TEST_SETTINGS: &[&str] = &[
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    // In the data folder, so that nothing stays in /dev/shm after a SIGKILL.
    "dynamic_shared_memory_type=mmap",
];

/// What a cluster is for.
#[derive(Clone, Copy, PartialEq)]
pub enum Purpose {
    /// What was committed stays.
    Keep,
    /// Nothing needs to survive.
    Test,
}

/// The files of a cluster, and how its server is started.
pub struct Cluster {
    /// Holds `data`, `password` and `postgres.log`.
    pub home: PathBuf,
    bin: PathBuf,
    /// Who runs the server; `None` when we are not root: ourselves.
    user: Option<User>,
    /// The password of [`SUPERUSER`].
    pub password: String,
    purpose: Purpose,
    remove_at_end: bool,
}

impl Cluster {
    /// The cluster in `dir`, made if there is none.
    pub fn prepare(dir: &Path, purpose: Purpose) -> Result<Cluster> {
        let user = server_user()?;
        let (home, moved) = place(dir, user.as_ref())?;
        // Debian's wrapper scripts aside, an existing cluster runs only on the version that made it.
        let made_by = std::fs::read_to_string(home.join("data/PG_VERSION")).ok();
        let made_by = made_by.as_deref().map(str::trim);
        let bin = postgres_binaries(made_by).with_context(|| match made_by {
            Some(version) => format!(
                "no PostgreSQL {version} is installed, which made the data in {}; install it, or remove that folder",
                home.display()
            ),
            None => "no PostgreSQL server is installed; `apt-get install postgresql` brings one".to_owned(),
        })?;
        let mut cluster = Cluster {
            home,
            bin,
            user,
            password: String::new(),
            purpose,
            remove_at_end: moved && purpose == Purpose::Test,
        };
        cluster.password = match made_by {
            Some(_) => std::fs::read_to_string(cluster.password_file())
                .with_context(|| format!("cannot read {}", cluster.password_file().display()))?,
            None => cluster.initialize()?,
        };
        Ok(cluster)
    }

    /// The folder of a cluster whose files are copied from `origin`'s server: with its programs, its user and its password.
    pub fn at(dir: &Path, origin: &Cluster) -> Result<Cluster> {
        let (home, moved) = place(dir, origin.user.as_ref())?;
        Ok(Cluster {
            home,
            bin: origin.bin.clone(),
            user: origin.user.clone(),
            password: origin.password.clone(),
            purpose: origin.purpose,
            remove_at_end: moved && origin.purpose == Purpose::Test,
        })
    }

    fn password_file(&self) -> PathBuf {
        self.home.join("password")
    }

    fn log(&self) -> PathBuf {
        self.home.join("postgres.log")
    }

    /// One of PostgreSQL's programs, as the server's user.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir(&self.home);
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// Makes the cluster under another name first, so that an interrupted `initdb` leaves nothing half made.
    fn initialize(&self) -> Result<String> {
        let password = crate::random_secret()?;
        let file = self.password_file();
        let _ = std::fs::remove_file(&file);
        let mut written = File::options().write(true).create_new(true).mode(0o600).open(&file)?;
        written.write_all(password.as_bytes())?;
        self.give_to_server(&file)?;
        let fresh = self.home.join("data.new");
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh).with_context(|| format!("cannot remove {}", fresh.display()))?;
        }
        let mut command = self.command("initdb");
        command.arg("--pgdata").arg(&fresh).arg("--pwfile").arg(&file);
        command.args(["--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"]);
        if self.purpose == Purpose::Test {
            command.arg("--no-sync");
        }
        let output = command.output().context("cannot start initdb")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(anyhow!(said).context(format!("initdb could not make a cluster in {}", self.home.display())));
        }
        std::fs::rename(&fresh, self.home.join("data"))?;
        Ok(password)
    }

    fn give_to_server(&self, path: &Path) -> Result<()> {
        match &self.user {
            Some(user) => Ok(chown(path, Some(user.uid), Some(user.gid))?),
            None => Ok(()),
        }
    }

    /// Starts the server on a free port.
    pub fn start(&self) -> Result<(Process, u16)> {
        let mut attempt = 1;
        loop {
            let port = free_port()?;
            match self.launch(port) {
                Ok(process) => return Ok((process, port)),
                // The port was taken, or a server of a session that died a moment ago is still going down.
                Err(_) if attempt < ATTEMPTS && self.worth_another_attempt() => {
                    attempt += 1;
                    std::thread::sleep(PAUSE_BETWEEN_ATTEMPTS);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn worth_another_attempt(&self) -> bool {
        let said = tail(&self.log());
        ["Address already in use", "postmaster.pid", "pre-existing shared memory"]
            .iter()
            .any(|hint| said.contains(hint))
    }

    /// Whether `pg_stat_statements` is there: a library that is named and missing would keep the server from starting.
    pub fn counts_statements(&self) -> bool {
        let lib = self.bin.parent().unwrap_or(Path::new("/")).join("lib");
        ["", "postgresql"].iter().any(|folder| lib.join(folder).join("pg_stat_statements.so").is_file())
    }

    /// Starts the server on this port.
    pub fn launch(&self, port: u16) -> Result<Process> {
        let log = self.log();
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let data = self.home.join("data");
        let mut command = self.command("postgres");
        command.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        let extra: &[&str] = if self.purpose == Purpose::Test { TEST_SETTINGS } else { &[] };
        for setting in SETTINGS.iter().chain(extra) {
            command.args(["-c", setting]);
        }
        if self.counts_statements() {
            command.args(["-c", "shared_preload_libraries=pg_stat_statements"]);
        }
        command.stdout(output.try_clone()?).stderr(output);
        // Not SIGKILL: the postmaster would leave its children behind. SIGQUIT makes it end them at once, and the
        // next start recovers from the log.
        let mut process = Process::spawn(command, Signal::SIGQUIT)?;
        let (pid, status) = (process.id().to_string(), data.join("postmaster.pid"));
        // As pg_ctl does: the first line is the server's pid, the eighth its state.
        let ready = || {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            ensure!(lines.first() == Some(&pid.as_str()) && lines.get(7) == Some(&"ready"), "it is not ready yet");
            Ok(())
        };
        match wait_until(&mut process, START_PATIENCE, ready) {
            Ok(()) => Ok(process),
            Err(not_ready) => {
                process.stop(Signal::SIGQUIT, STOP_PATIENCE);
                Err(not_ready.into_error("PostgreSQL", &log))
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.remove_at_end {
            let _ = std::fs::remove_dir_all(&self.home);
        }
    }
}
