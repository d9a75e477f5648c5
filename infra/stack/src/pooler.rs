//! PgBouncer before a PostgreSQL, as it is often set up: it takes the startup parameter `options` and does not hand it on.

use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::Signal;
use url::Url;

use crate::ports::{ATTEMPTS, free_port};
use crate::postgres::server_user;
use crate::process::{Process, find_on_path, wait_until};

const START_PATIENCE: Duration = Duration::from_secs(30);
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A pooler of its own on a free loopback port. Dropping it stops it.
pub struct Pooler {
    process: Process,
    port: u16,
    url: String,
}

impl Pooler {
    /// Starts it with its files in `dir`, before the database of `url`, which it logs in to as that says. Each client has a
    /// session of its own (`pool_mode = session`).
    pub fn start(dir: &Path, url: &str) -> Result<Pooler> {
        let server = Url::parse(url).context("the database's URL cannot be read")?;
        std::fs::create_dir_all(dir)?;
        for _ in 1..ATTEMPTS {
            let port = free_port()?;
            if let Ok(process) = launch(dir, &server, port) {
                return Pooler::at(process, server, port);
            }
        }
        let port = free_port()?;
        Pooler::at(launch(dir, &server, port)?, server, port)
    }

    fn at(process: Process, mut url: Url, port: u16) -> Result<Pooler> {
        url.set_port(Some(port)).map_err(|()| anyhow!("the database's URL names no host"))?;
        Ok(Pooler { process, port, url: url.into() })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the database through the pooler.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.process.stop(Signal::SIGINT, STOP_PATIENCE);
    }
}

fn launch(dir: &Path, server: &Url, port: u16) -> Result<Process> {
    let program = find_on_path("pgbouncer").context("there is no pgbouncer; `apt-get install pgbouncer` brings it")?;
    let login: postgres::Config = server.as_str().parse().context("the database's URL cannot be read")?;
    let (host, server_port) = (server.host_str().unwrap_or_default(), server.port().unwrap_or(5432));
    let user = login.get_user().unwrap_or_default();
    let password = String::from_utf8_lossy(login.get_password().unwrap_or_default()).replace('\'', "''");
    // `auth_type = any`: every client is the user of the next line.
    let settings = format!(
        "[databases]\n* = host={host} port={server_port} user={user} password='{password}'\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
         pool_mode = session\nmax_client_conn = 500\ndefault_pool_size = 200\n\
         server_idle_timeout = 5\n\
         ignore_startup_parameters = options, extra_float_digits\n",
    );
    let file = dir.join("pgbouncer.ini");
    std::fs::write(&file, settings)?;
    let log = dir.join("pgbouncer.log");
    let output = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = Command::new(program);
    command.arg(&file).stdout(output.try_clone()?).stderr(output);
    // It does not run as root either.
    if let Some(user) = server_user()? {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    let mut process = Process::spawn(command, Signal::SIGKILL)?;
    let ready = || Ok(TcpStream::connect(("127.0.0.1", port)).map(drop)?);
    wait_until(&mut process, START_PATIENCE, ready).map_err(|not_ready| not_ready.into_error("PgBouncer", &log))?;
    Ok(process)
}
