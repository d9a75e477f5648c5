//! A Redis server for development and tests.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;

use crate::ports::{ATTEMPTS, free_port};
use crate::process::{NotReady, Process, find_on_path, wait_until};
use crate::production;

/// A Redis that loads no data set answers within milliseconds; this is for a machine busy with compilers.
const START_PATIENCE: Duration = Duration::from_secs(20);
const STOP_PATIENCE: Duration = Duration::from_secs(5);
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);

/// Names another server than the one on PATH: `cargo xtask test --matrix` sets it.
pub const REDIS_SERVER: &str = "RENTTRACKER_REDIS_SERVER";

/// Starts each server in cluster mode, with all slots: `cargo xtask test --redis cluster` sets it.
pub const REDIS_CLUSTER: &str = "RENTTRACKER_REDIS_CLUSTER";

/// A Redis server of its own on a free loopback port. Dropping it stops it.
pub struct Redis {
    process: Process,
    port: u16,
    dir: PathBuf,
    settings: Settings,
}

/// How it is started.
#[derive(Clone, Default)]
struct Settings {
    /// Its configuration file, if it has one.
    file: Option<PathBuf>,
    extra: Vec<String>,
    login: Option<Login>,
    /// Whether it is in cluster mode and has all slots.
    is_cluster: bool,
}

/// The only user of a server, and its password; neither has a character that a URL would encode.
#[derive(Clone)]
pub struct Login {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl Redis {
    /// Starts a server that keeps nothing on disk, with its log in `dir`.
    pub fn start(dir: &Path) -> Result<Redis> {
        Redis::start_with(dir, 0, &[])
    }

    /// The same on a port of the caller's choice: to come back where a killed one was.
    pub fn start_on(dir: &Path, port: u16) -> Result<Redis> {
        Redis::start_with(dir, port, &[])
    }

    /// The same with further command line options, which win over ours: `&["--appendonly", "yes"]`.
    /// Port 0 takes a free one.
    pub fn start_with(dir: &Path, port: u16, extra: &[&str]) -> Result<Redis> {
        start(dir, port, Settings { extra: owned(extra), ..Settings::default() })
    }

    /// The same on a free port, in cluster mode, with all slots.
    pub fn start_in_cluster_mode(dir: &Path) -> Result<Redis> {
        start(dir, 0, Settings { is_cluster: true, ..Settings::default() })
    }

    /// The same on a free port, where the options admit `login` alone.
    pub fn start_for(login: Login, dir: &Path, extra: &[&str]) -> Result<Redis> {
        start(dir, 0, Settings { extra: owned(extra), login: Some(login), ..Settings::default() })
    }

    /// Starts a server with `infra/redis/redis.conf`, which keeps its data in `dir`; `more` is added to the file. Left out
    /// is what has no place on loopback: TLS, users and passwords. Port 0 takes a free one.
    pub fn start_as_in_production(dir: &Path, port: u16, more: &str) -> Result<Redis> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        // The server writes into its file when Sentinel gives it another role.
        let file = dir.join("redis.conf");
        std::fs::write(&file, production::redis_conf()? + more)?;
        start(dir, port, Settings { file: Some(file), ..Settings::default() })
    }

    /// Starts it again, on the same port, after [`Redis::kill`] or [`Redis::stop`].
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        *self = launch(&self.dir.clone(), self.port, self.settings.clone())?;
        Ok(())
    }

    /// This section of its `INFO`.
    pub fn info(&self, section: &str) -> Result<String> {
        info(self.port, self.settings.login.as_ref(), section)
    }

    /// Where it keeps its data.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `redis://[USER:PASSWORD@]127.0.0.1:PORT`
    pub fn url(&self) -> String {
        let login =
            self.settings.login.as_ref().map(|login| format!("{}:{}@", login.user, login.password)).unwrap_or_default();
        format!("redis://{login}127.0.0.1:{}", self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.exited().is_none()
    }

    /// Fills the disk of a server with `infra/redis/redis.conf`, or empties it again: each write to a file fails as on a full
    /// disk, but with `EFBIG`. (Measured beside a tmpfs of 3 MB and `ENOSPC`: Redis 6.2.14, 7.0.15
    /// and 8.2.3 and Valkey 9.1.2 answer the same to both.)
    pub fn fill_disk(&self, is_full: bool) -> Result<()> {
        // The soft limit alone: only root could raise the hard one again.
        let limit = if is_full { "--fsize=1:" } else { "--fsize=unlimited:" };
        let status = Command::new("prlimit").args(["--pid", &self.pid().to_string(), limit]).status();
        let status = status.context("prlimit is missing; `apt-get install util-linux` brings it")?;
        ensure!(status.success(), "prlimit ended with {status}");
        Ok(())
    }

    /// `SIGKILL`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.process.kill_tree();
    }

    /// `SIGSTOP`: connections stay open and nothing is answered.
    pub fn pause(&self) {
        self.process.pause_tree();
    }

    /// `SIGCONT` after [`Redis::pause`].
    pub fn resume(&self) {
        self.process.resume_tree();
    }

    /// `SIGTERM`, waits, and kills what does not listen.
    pub fn stop(&mut self) {
        self.process.stop(Signal::SIGTERM, STOP_PATIENCE);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

fn owned(options: &[&str]) -> Vec<String> {
    options.iter().map(ToString::to_string).collect()
}

fn start(dir: &Path, port: u16, settings: Settings) -> Result<Redis> {
    for _ in 1..ATTEMPTS {
        if port != 0 {
            break;
        }
        if let Ok(redis) = launch(dir, free_port()?, settings.clone()) {
            return Ok(redis);
        }
    }
    launch(dir, if port == 0 { free_port()? } else { port }, settings)
}

/// The server, which is also Sentinel.
pub(crate) fn program() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(REDIS_SERVER) {
        return Ok(named.into());
    }
    let Some(program) = ["redis-server", "valkey-server"].into_iter().find_map(find_on_path) else {
        bail!("neither redis-server nor valkey-server is on PATH; `apt-get install redis-server` brings the first");
    };
    Ok(program)
}

fn launch(dir: &Path, port: u16, settings: Settings) -> Result<Redis> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let program = program()?;
    let log = dir.join("redis.log");
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    // A write beyond the limit that stands in for a full disk is then an error, not a signal that ends the server.
    let mut command = Command::new("env");
    command.arg("--ignore-signal=XFSZ").arg(program);
    let keeps_nothing = ["--save", "", "--appendonly", "no"];
    command
        .args(&settings.file)
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--daemonize", "no"])
        .args(keeps_nothing.iter().filter(|_| settings.file.is_none()))
        .arg("--dir")
        .arg(dir)
        .args(&settings.extra)
        .stdout(output.try_clone()?)
        .stderr(output);
    let is_cluster = settings.is_cluster || std::env::var_os(REDIS_CLUSTER).is_some();
    if is_cluster {
        command.args(["--cluster-enabled", "yes"]);
    }
    let mut process = Process::spawn(command, Signal::SIGKILL)?;
    let pid = process.id();
    match wait_until(&mut process, START_PATIENCE, || answers_as(pid, port, settings.login.as_ref())) {
        Ok(()) => {}
        Err(NotReady::TimedOut(error)) if error.to_string().contains("LOADING") => {
            return Err(error.context("Redis did not load its data in time"));
        }
        Err(not_ready) => return Err(not_ready.into_error("Redis", &log)),
    }
    if is_cluster {
        // After a restart it has them from its `nodes.conf`, and takes no commands for 2 s (`CLUSTER_WRITABLE_DELAY`).
        wait_until(&mut process, START_PATIENCE, || takes_all_slots(port, settings.login.as_ref()))
            .map_err(|not_ready| not_ready.into_error("Redis in cluster mode", &log))?;
    }
    Ok(Redis { process, port, dir: dir.to_owned(), settings })
}

/// Gives it the slots that no node has.
fn takes_all_slots(port: u16, login: Option<&Login>) -> Result<()> {
    let auth = login.map(|login| format!("AUTH {} {}\r\n", login.user, login.password)).unwrap_or_default();
    let answer = ask(port, &format!("{auth}CLUSTER ADDSLOTSRANGE 0 16383\r\nCLUSTER INFO\r\n"))?;
    ensure!(answer.contains("cluster_state:ok"), "{answer}");
    Ok(())
}

/// This section of the `INFO` of the Redis behind `port`, read as `login` if only that user may.
pub(crate) fn info(port: u16, login: Option<&Login>, section: &str) -> Result<String> {
    let auth = login.map(|login| format!("AUTH {} {}\r\n", login.user, login.password)).unwrap_or_default();
    let answer = ask(port, &format!("{auth}PING\r\nINFO {section}\r\n"))?;
    let answer = login.and(answer.strip_prefix("+OK\r\n")).unwrap_or(&answer);
    ensure!(answer.starts_with("+PONG"), "{}", answer.lines().next().unwrap_or("no answer"));
    Ok(answer.to_owned())
}

/// What comes back for inline commands.
pub(crate) fn ask(port: u16, commands: &str) -> Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PROBE_TIMEOUT)?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
    stream.write_all(commands.as_bytes())?;
    // In place of QUIT, which Sentinel does not know.
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Asks the server on `port` for its identity: another server on that port would answer too.
fn answers_as(pid: u32, port: u16, login: Option<&Login>) -> Result<()> {
    ensure!(
        info(port, login, "server")?.lines().any(|line| line.trim_end() == format!("process_id:{pid}")),
        "another Redis answers on port {port}"
    );
    Ok(())
}
