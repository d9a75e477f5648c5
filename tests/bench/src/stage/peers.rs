//! What a user would write instead: the same two GETs as a native program, and on Node.js.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use super::{Api, Stage, address};

impl Stage {
    /// The native program, which reads what the components of `api` have stored in this epoch.
    pub fn native_peer(&self, api: &Api, epoch: u64) -> Result<Peer> {
        let program = std::env::current_exe()?.with_file_name("peer");
        self.start_peer(Command::new(program), api, epoch)
    }

    /// The same on Node.js, if that is there.
    pub fn node_peer(&self, api: &Api, epoch: u64) -> Result<Option<Peer>> {
        let Some([node, script]) = &self.node_peer else { return Ok(None) };
        let mut command = Command::new(node);
        command.arg(script);
        self.start_peer(command, api, epoch).map(Some)
    }

    fn start_peer(&self, mut command: Command, api: &Api, epoch: u64) -> Result<Peer> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.env_clear().envs(stack::variables(&self.redis.url(), &api.database_url, &self.secret));
        command.env("jwt_issuer", stack::ISSUER).env("jwt_audience", stack::AUDIENCE);
        command.env("redis_instance_name", &api.instance).env("epoch", epoch.to_string());
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut peer = Peer { child: child.with_context(|| format!("cannot start {program}"))?, address: None };
        let mut line = String::new();
        BufReader::new(peer.child.stdout.take().context("a pipe")?).read_line(&mut line)?;
        peer.address = Some(address(line.trim()).with_context(|| format!("{program} did not start"))?);
        Ok(peer)
    }
}

/// A program that answers. Dropped, it ends.
pub struct Peer {
    child: Child,
    address: Option<SocketAddr>,
}

impl Peer {
    /// Where it answers, and its process id.
    pub fn server(&self) -> Result<(SocketAddr, u32)> {
        Ok((self.address.context("it runs")?, self.child.id()))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
