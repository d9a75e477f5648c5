//! A PostgreSQL cluster of one's own.

use std::fs::{File, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::sys::signal::Signal;
use nix::unistd::{User, chown, geteuid};
use postgres::{Client, NoTls};
use sha2::{Digest, Sha256};

use crate::ports::{ATTEMPTS, free_port};
use crate::process::{Process, find_on_path, tail, wait_until};

/// Long enough for crash recovery after a `SIGKILL`, on a machine busy with compilers.
const START_PATIENCE: Duration = Duration::from_secs(60);
const STOP_PATIENCE: Duration = Duration::from_secs(15);
const PAUSE_BETWEEN_ATTEMPTS: Duration = Duration::from_millis(300);

/// The superuser of the cluster, and the only user.
const USER: &str = "postgres";

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
];

/// A cluster that is thrown away after the test need not survive a power cut.
const TEST_SETTINGS: &[&str] = &[
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    // In the data folder, so that nothing stays in /dev/shm after a SIGKILL.
    "dynamic_shared_memory_type=mmap",
];

#[derive(Clone, Copy, PartialEq)]
enum Purpose {
    Keep,
    Test,
}

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
        Cluster::prepare(dir, Purpose::Keep)?.start()
    }

    /// The same with durability switched off. Statements can be counted in `pg_stat_statements` where the server
    /// has that extension (Debian's does); it exists in every database made by [`Postgres::create_database`].
    pub fn start_for_tests(dir: &Path) -> Result<Postgres> {
        Cluster::prepare(dir, Purpose::Test)?.start()
    }

    /// `postgres://USER:PASSWORD@127.0.0.1:PORT/database`
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.cluster.password, self.port)
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

    /// Makes a copy of `template`, to which nobody may be connected: quicker than migrating anew for every test.
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

struct Cluster {
    /// Holds `data`, `password` and `postgres.log`.
    home: PathBuf,
    bin: PathBuf,
    /// Who runs the server; `None` when we are not root: ourselves.
    user: Option<User>,
    password: String,
    purpose: Purpose,
    remove_at_end: bool,
}

impl Cluster {
    fn prepare(dir: &Path, purpose: Purpose) -> Result<Cluster> {
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

    fn password_file(&self) -> PathBuf {
        self.home.join("password")
    }

    fn log(&self) -> PathBuf {
        self.home.join("postgres.log")
    }

    fn command(&self, program: &str) -> Command {
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
        let mut options = File::options();
        std::io::Write::write_all(
            &mut options.write(true).create_new(true).mode(0o600).open(&file)?,
            password.as_bytes(),
        )?;
        self.give_to_server(&file)?;
        let fresh = self.home.join("data.new");
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh).with_context(|| format!("cannot remove {}", fresh.display()))?;
        }
        let mut command = self.command("initdb");
        command.arg("--pgdata").arg(&fresh).arg("--pwfile").arg(&file);
        command.args(["--username", USER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"]);
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

    fn start(self) -> Result<Postgres> {
        let mut attempt = 1;
        let (process, port) = loop {
            let port = free_port()?;
            match self.launch(port) {
                Ok(process) => break (process, port),
                // Someone took the port, or a server of a session that died a moment ago is still going down.
                Err(error) if attempt < ATTEMPTS && self.worth_another_attempt() => {
                    let _ = error;
                    attempt += 1;
                    std::thread::sleep(PAUSE_BETWEEN_ATTEMPTS);
                }
                Err(error) => return Err(error),
            }
        };
        let server = Postgres { process, cluster: self, port };
        if server.cluster.counts_statements() {
            server
                .connect("template1")?
                .batch_execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
                .context("cannot create pg_stat_statements")?;
        }
        Ok(server)
    }

    fn worth_another_attempt(&self) -> bool {
        let said = tail(&self.log());
        ["Address already in use", "postmaster.pid", "pre-existing shared memory"]
            .iter()
            .any(|hint| said.contains(hint))
    }

    /// A library that is named and not there would keep the server from starting.
    fn counts_statements(&self) -> bool {
        let lib = self.bin.parent().unwrap_or(Path::new("/")).join("lib");
        ["", "postgresql"].iter().any(|folder| lib.join(folder).join("pg_stat_statements.so").is_file())
    }

    fn launch(&self, port: u16) -> Result<Process> {
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
        // The way of pg_ctl: the first line is the server's pid, the eighth its state.
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

/// Where a PostgreSQL server is installed: of that major `version`, else the newest.
pub fn postgres_binaries(version: Option<&str>) -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut installed: Vec<(u32, PathBuf)> = debian
        .filter_map(|entry| entry.ok())
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("postgres").is_file() && bin.join("initdb").is_file())
        .collect();
    installed.sort();
    let on_path = find_on_path("postgres")
        .and_then(|program| Some(program.canonicalize().ok()?.parent()?.to_owned()))
        .filter(|bin| bin.join("initdb").is_file());
    if let Some(bin) = on_path
        && let Some(major) = major_version(&bin)
    {
        installed.push((major, bin));
    }
    match version {
        Some(version) => installed.into_iter().find(|(major, _)| major.to_string() == version).map(|(_, bin)| bin),
        None => installed.pop().map(|(_, bin)| bin),
    }
}

/// From `postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)`.
fn major_version(bin: &Path) -> Option<u32> {
    let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

pub(crate) fn server_user() -> Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(user));
        }
    }
    bail!("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

/// The folder for the cluster, made and given to `user`: `dir`, or one under /var/tmp named after it where the user
/// cannot reach `dir` (a checkout under /root). Says whether it is the second.
fn place(dir: &Path, user: Option<&User>) -> Result<(PathBuf, bool)> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let dir = dir.canonicalize()?;
    let Some(user) = user else {
        return Ok((dir, false));
    };
    if claim(&dir, user)? {
        return Ok((dir, false));
    }
    let digest = Sha256::digest(dir.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let substitute = PathBuf::from("/var/tmp").join(format!("renttracker-edge-{name}"));
    if let Err(error) = std::fs::DirBuilder::new().mode(0o700).create(&substitute)
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        return Err(error).with_context(|| format!("cannot create {}", substitute.display()));
    }
    // The name can be guessed and everybody can write to /var/tmp: take only what is ours.
    let meta = std::fs::symlink_metadata(&substitute)?;
    ensure!(
        meta.is_dir() && (meta.uid() == 0 || meta.uid() == user.uid.as_raw()),
        "{} belongs to someone else; remove it",
        substitute.display()
    );
    ensure!(
        claim(&substitute, user)?,
        "the user {} can use neither {} nor {} for PostgreSQL's data",
        user.name,
        dir.display(),
        substitute.display()
    );
    Ok((substitute, true))
}

/// Gives `dir` to `user` and finds out whether that user can get there: the folders above it decide that, with
/// their modes, lists and mount options, so the user itself is asked to look.
fn claim(dir: &Path, user: &User) -> Result<bool> {
    chown(dir, Some(user.uid), Some(user.gid)).with_context(|| format!("cannot give {} away", dir.display()))?;
    std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    let status = Command::new("test").arg("-w").arg(dir).current_dir("/").uid(uid).gid(gid).status();
    Ok(status.context("cannot start `test`")?.success())
}

fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
