//! Two Redis servers, three Sentinels and an HAProxy, with the files of production.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;

use crate::ports::{ATTEMPTS, free_port};
use crate::process::{Process, find_on_path, wait_until};
use crate::{Redis, production, redis};

/// How many Sentinels there are; two make a majority.
const SENTINELS: usize = 3;
/// The checks of HAProxy and the Sentinels' discovery of each other take seconds; the rest is for a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(60);
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A master and a replica that take each other's place, behind one address. Dropping it stops everything.
pub struct Failover {
    // In the order in which they are stopped: none may react to the end of another.
    haproxy: Process,
    port: u16,
    sentinels: Vec<(Process, u16)>,
    redis: [Redis; 2],
}

impl Failover {
    /// Starts everything and waits until a failover could begin. The first server is the master.
    pub fn start(dir: &Path) -> Result<Failover> {
        let first = Redis::start_as_in_production(&dir.join("redis-1"), 0, "")?;
        let replicaof = format!("replicaof 127.0.0.1 {}\n", first.port());
        let second = Redis::start_as_in_production(&dir.join("redis-2"), 0, &replicaof)?;
        let mut sentinels = Vec::new();
        for number in 1..=SENTINELS {
            sentinels.push(again(|port| sentinel(&dir.join(format!("sentinel-{number}")), port, first.port()))?);
        }
        let ports: Vec<u16> = sentinels.iter().map(|(_, port)| *port).collect();
        let (haproxy, port) = again(|port| haproxy(dir, port, [first.port(), second.port()], &ports))?;
        let mut failover = Failover { haproxy, port, sentinels, redis: [first, second] };
        let deadline = Instant::now() + START_PATIENCE;
        while let Err(error) = failover.is_ready() {
            ensure!(Instant::now() < deadline, "the servers do not know each other: {error:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(failover)
    }

    /// The one address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A server, to be broken or looked at.
    pub fn redis(&mut self, number: usize) -> &mut Redis {
        &mut self.redis[number]
    }

    /// Which server the one address leads to at this moment.
    pub fn master(&self) -> Result<usize> {
        let info = redis::info(self.port, None, "server")?;
        let found = self.redis.iter().position(|redis| says(&info, &format!("process_id:{}", redis.pid())));
        found.context("another Redis answers")
    }

    /// Whether the server `number` is a replica that has caught up with the other.
    pub fn is_replica(&self, number: usize) -> bool {
        self.redis[number].info("replication").is_ok_and(|info| says(&info, "master_link_status:up"))
    }

    /// The replicas that each Sentinel knows, as `host:port`.
    pub fn replicas_in_mind(&self) -> Result<Vec<Vec<String>>> {
        let each = |(_, port): &(Process, u16)| {
            let answer = redis::ask(*port, "SENTINEL replicas renttracker\r\n")?;
            let mut lines = answer.lines().map(str::trim_end);
            let mut found = Vec::new();
            // Each has its name as a field of that name: its length and the text come next.
            while lines.any(|line| line == "name") {
                found.push(lines.nth(1).context("a replica without a name")?.to_owned());
            }
            Ok(found)
        };
        self.sentinels.iter().map(each).collect()
    }

    /// Orders a failover, as for maintenance. An error while the Sentinels cannot begin one.
    pub fn order(&self) -> Result<()> {
        let (_, port) = self.sentinels.first().context("there are Sentinels")?;
        let answer = redis::ask(*port, "SENTINEL failover renttracker\r\n")?;
        ensure!(answer.starts_with("+OK"), "Sentinel answers {answer}");
        Ok(())
    }

    /// Whether a failover could begin: all know each other.
    fn is_ready(&mut self) -> Result<()> {
        if let Some(status) = self.haproxy.exited() {
            bail!("HAProxy has ended ({status})");
        }
        ensure!(self.is_replica(1), "the replica has not caught up");
        for (_, port) in &self.sentinels {
            let info = redis::info(*port, None, "sentinel")?;
            let line = format!("status=ok,address=127.0.0.1:{},slaves=1,sentinels={SENTINELS}", self.redis[0].port());
            ensure!(info.contains(&line), "a Sentinel says {info}");
        }
        ensure!(self.master()? == 0, "the address does not lead to the master");
        Ok(())
    }
}

fn says(info: &str, line: &str) -> bool {
    info.lines().any(|its| its.trim_end() == line)
}

/// Starts a server on a free port, and on another if that was taken meanwhile.
pub(crate) fn again(start: impl Fn(u16) -> Result<Process>) -> Result<(Process, u16)> {
    for _ in 1..ATTEMPTS {
        let port = free_port()?;
        if let Ok(process) = start(port) {
            return Ok((process, port));
        }
    }
    let port = free_port()?;
    Ok((start(port)?, port))
}

fn sentinel(dir: &Path, port: u16, master: u16) -> Result<Process> {
    std::fs::create_dir_all(dir)?;
    let file = dir.join("sentinel.conf");
    std::fs::write(&file, production::sentinel_conf(master)?)?;
    let mut command = Command::new(redis::program()?);
    command.arg(&file).args(["--sentinel", "--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(dir);
    spawn(command, &dir.join("sentinel.log"), "Sentinel", || redis::info(port, None, "sentinel").map(drop))
}

fn haproxy(dir: &Path, port: u16, redis: [u16; 2], sentinels: &[u16]) -> Result<Process> {
    let program = find_on_path("haproxy").context("haproxy is not on PATH; `apt-get install haproxy` brings it")?;
    let file = dir.join("haproxy.cfg");
    std::fs::write(&file, production::haproxy_cfg()?)?;
    let mut command = Command::new(program);
    command.arg("-db").arg("-f").arg(&file).env("REDIS_LISTEN", format!("127.0.0.1:{port}"));
    // On loopback it is the port that tells one from the other.
    for (number, port) in (1..).zip(redis) {
        command.env(format!("REDIS_{number}"), format!("127.0.0.1:{port}"));
        command.env(format!("MASTER_{number}"), port.to_string());
    }
    for (number, port) in (1..).zip(sentinels) {
        command.env(format!("SENTINEL_{number}"), format!("127.0.0.1:{port}"));
    }
    // Without an access list every client is the default user, whatever the password.
    command.env("REDIS_CHECK_USER", "default").env("REDIS_CHECK_PASSWORD", "any");
    spawn(command, &dir.join("haproxy.log"), "HAProxy", || {
        TcpStream::connect(("127.0.0.1", port))?;
        Ok(())
    })
}

/// Starts a server that writes to `log`, and waits until it is ready.
pub(crate) fn spawn(
    mut command: Command,
    log: &Path,
    name: &str,
    ready: impl FnMut() -> Result<()>,
) -> Result<Process> {
    let output = std::fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdout(output.try_clone()?).stderr(output);
    let mut process = Process::spawn(command, Signal::SIGKILL)?;
    wait_until(&mut process, START_PATIENCE, ready).map_err(|not_ready| not_ready.into_error(name, log))?;
    Ok(process)
}

impl Drop for Failover {
    fn drop(&mut self) {
        self.haproxy.stop(Signal::SIGTERM, STOP_PATIENCE);
        for (sentinel, _) in &mut self.sentinels {
            sentinel.stop(Signal::SIGTERM, STOP_PATIENCE);
        }
    }
}
