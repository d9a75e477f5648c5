//! The HAProxy that stands in front of Spin in production, in front of a host on loopback.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::failover::{again, spawn};
use crate::process::{Process, find_on_path};
use crate::production;

const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// HAProxy with the file of production, without TLS. Dropping it stops it.
pub struct Front {
    process: Process,
    port: u16,
}

impl Front {
    /// Starts it in front of the host at `address`, as `host:port`; `name` is what it calls the host.
    pub fn start(dir: &Path, address: &str, name: &str) -> Result<Front> {
        let program = find_on_path("haproxy").context("haproxy is not on PATH; `apt-get install haproxy` brings it")?;
        std::fs::create_dir_all(dir)?;
        let file = dir.join("haproxy.cfg");
        std::fs::write(&file, production::front_cfg()?)?;
        let (process, port) = again(|port| {
            let mut command = Command::new(&program);
            command.arg("-db").arg("-f").arg(&file);
            command.env("API_LISTEN", format!("127.0.0.1:{port}")).env("API_HOST", name).env("SPIN", address);
            spawn(command, &dir.join("haproxy.log"), "HAProxy", || {
                TcpStream::connect(("127.0.0.1", port))?;
                Ok(())
            })
        })?;
        Ok(Front { process, port })
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.process.stop(Signal::SIGTERM, STOP_PATIENCE);
    }
}
