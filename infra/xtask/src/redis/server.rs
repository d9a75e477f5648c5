//! A Redis server, asked through `redis-cli`: the same program copies it, over the same connection settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use url::Url;

/// How many entries are compared.
const SAMPLE: u32 = 64;

/// Answers a line `digest milliseconds-to-live key` for each of KEYS, or of `ARGV[1]` keys that it finds itself: no value
/// leaves the server. Run with `EVAL_RO`, which a user who may only read may use.
const DIGESTS: &str = include_str!("digests.lua");

/// The channel by which Sentinels find each other: each subscribes to it at every server that it watches.
const SENTINELS: &str = "__sentinel__:hello";

/// A server's place among others, as it answers `ROLE`.
#[derive(Debug, PartialEq, Eq)]
pub enum Role {
    /// A master, with the addresses of the replicas that are there.
    Master(Vec<(String, u16)>),
    /// A replica, with the state of its link to the master: `connected` when it has caught up.
    Replica(String),
}

/// Where a server is and how to log in.
#[derive(Args, Clone)]
pub struct Address {
    /// `redis[s]://[user:password@]host:port`
    #[arg(long = "redis-url", env = "REDIS_URL", hide_env_values = true)]
    url: Url,
    /// Who signed the server's certificate, if this machine does not know
    #[arg(long, env = "REDIS_CA_FILE")]
    ca_file: Option<PathBuf>,
}

/// What is known of an entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub digest: String,
    /// Negative for none.
    pub to_live_ms: i64,
}

impl Address {
    /// The server on this loopback port.
    pub fn loopback(port: u16) -> Result<Address> {
        Ok(Address { url: Url::parse(&format!("redis://127.0.0.1:{port}"))?, ca_file: None })
    }

    /// The same login at another server.
    fn at(&self, host: &str, port: u16) -> Result<Address> {
        let mut url = self.url.clone();
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        url.set_host(Some(&host)).with_context(|| format!("{host} is no host"))?;
        url.set_port(Some(port)).ok().context("the URL of Redis takes no port")?;
        Ok(Address { url, ca_file: self.ca_file.clone() })
    }

    /// What it is among others.
    pub fn role(&self) -> Result<Role> {
        let answer = self.ask(&["ROLE"])?;
        read_role(&answer).with_context(|| format!("ROLE is answered {answer:?}"))
    }

    /// Whether a Sentinel watches it.
    pub fn is_watched(&self) -> Result<bool> {
        let answer = self.ask(&["PUBSUB", "NUMSUB", SENTINELS])?;
        let watching: u64 =
            answer.lines().nth(1).and_then(|count| count.parse().ok()).context("Redis counts nobody")?;
        Ok(watching > 0)
    }

    /// The server to copy: itself if it is a replica, or a master without Sentinel and replicas; otherwise the first
    /// replica that a master names and that has caught up. `redis-cli --rdb` is a replica itself while it copies, one that
    /// listens on port 0, and a Sentinel that sees it at a master remembers it.
    pub fn source(&self) -> Result<Address> {
        let replicas = match self.role()? {
            Role::Replica(state) => {
                ensure_current(&state)?;
                return Ok(self.clone());
            }
            Role::Master(replicas) => replicas,
        };
        if replicas.is_empty() {
            ensure!(
                !self.is_watched()?,
                "a Sentinel watches this master, and it names no replica. Copied itself, it would keep the copy in mind as a \
                 replica on port 0: have its replica come back, or copy it all the same with --from-master"
            );
            return Ok(self.clone());
        }
        let mut reasons = Vec::new();
        for (host, port) in &replicas {
            let replica = self.at(host, *port)?;
            match replica.role() {
                Ok(Role::Replica(state)) => match ensure_current(&state) {
                    Ok(()) => return Ok(replica),
                    Err(error) => reasons.push(format!("{host}:{port}: {error}")),
                },
                Ok(Role::Master(_)) => reasons.push(format!("{host}:{port}: it takes itself for a master")),
                Err(error) => reasons.push(format!("{host}:{port}: {error:#}")),
            }
        }
        bail!(
            "no replica that this master names can be copied ({}); --from-master copies the master all the same",
            reasons.join("; ")
        )
    }

    /// Its name in errors and output.
    pub fn name(&self) -> String {
        format!("{}:{}", self.url.host_str().unwrap_or_default(), self.url.port().unwrap_or(6379))
    }

    /// `redis-cli` for this server. The password is in its environment: a command line can be read by everybody.
    fn cli(&self) -> Result<Command> {
        let host = self.url.host_str().context("the URL of Redis names no host")?;
        let mut command = Command::new("redis-cli");
        command.args(["-e", "-h", host, "-p", &self.url.port().unwrap_or(6379).to_string()]);
        match self.url.scheme() {
            "redis" => {}
            "rediss" => drop(command.arg("--tls")),
            other => bail!("the URL of Redis begins with {other}://; redis:// or rediss:// is needed"),
        }
        if let Some(file) = &self.ca_file {
            command.arg("--cacert").arg(file);
        }
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().map(String::from);
        if !self.url.username().is_empty() {
            command.args(["--user", &decoded(self.url.username())?]);
        }
        command.env_remove("REDISCLI_AUTH");
        if let Some(password) = self.url.password() {
            command.env("REDISCLI_AUTH", decoded(password)?);
        }
        Ok(command)
    }

    /// What it answers to a command. An error names the command without its arguments, which can be keys, or a script.
    pub fn ask(&self, words: &[&str]) -> Result<String> {
        let name = words.first().copied().unwrap_or_default();
        let output = self.cli()?.args(words).stdin(Stdio::null()).output();
        let output = output.context("redis-cli is missing; `apt-get install redis-tools` brings it")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name} was refused by Redis: {}", said.trim().replace('\n', "; "));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// How many keys it has.
    pub fn keys(&self) -> Result<u64> {
        self.ask(&["DBSIZE"])?.parse().context("Redis does not count its keys")
    }

    /// Writes all that it holds into `file`, as a replica would get it.
    pub fn copy_to(&self, file: &Path) -> Result<()> {
        let name = file.to_str().context("the folder's name is no text")?;
        self.ask(&["--rdb", name]).context("Redis could not be copied")?;
        ensure!(file.is_file(), "redis-cli wrote no copy");
        Ok(())
    }

    /// Some of its entries.
    pub fn sample(&self) -> Result<BTreeMap<String, Seen>> {
        self.digests(&["0"], &[&SAMPLE.to_string()])
    }

    /// Those of `keys` that are there.
    pub fn look_at<'a>(&self, keys: impl Iterator<Item = &'a String>) -> Result<BTreeMap<String, Seen>> {
        let keys: Vec<&str> = keys.map(String::as_str).collect();
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let count = keys.len().to_string();
        let mut words = vec![count.as_str()];
        words.extend(keys);
        self.digests(&words, &["0"])
    }

    fn digests(&self, keys: &[&str], arguments: &[&str]) -> Result<BTreeMap<String, Seen>> {
        let answer = self.ask(&[&["EVAL_RO", DIGESTS], keys, arguments].concat())?;
        let seen = |line: &str| {
            let mut parts = line.splitn(3, ' ');
            let (digest, to_live_ms) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
            Some((parts.next()?.to_owned(), Seen { digest, to_live_ms }))
        };
        let lines = answer.lines().filter(|line| !line.is_empty());
        lines.map(|line| seen(line).with_context(|| format!("Redis answers {line:?}"))).collect()
    }
}

/// The time of a copy of a replica whose link is down would be unknown.
fn ensure_current(state: &str) -> Result<()> {
    ensure!(state == "connected", "this replica has not caught up with its master: its link is \"{state}\"");
    Ok(())
}

/// Reads the answer of `ROLE`, one part a line: `master`, an offset, and of each replica host, port and offset; or `slave`, the
/// master's host and port, the state of the link, and an offset.
fn read_role(answer: &str) -> Option<Role> {
    let lines: Vec<&str> = answer.lines().filter(|line| !line.is_empty()).collect();
    match lines.as_slice() {
        ["master", _, replicas @ ..] => {
            let each = |replica: &[&str]| Some((replica.first()?.to_string(), replica.get(1)?.parse().ok()?));
            let all: Option<Vec<(String, u16)>> = replicas.chunks(3).map(each).collect();
            // Port 0 is another copy under way.
            Some(Role::Master(all?.into_iter().filter(|(_, port)| *port != 0).collect()))
        }
        ["slave", _, _, state, ..] => Some(Role::Replica((*state).to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `redis-cli` 7.0.15 prints them where it is not at a terminal.
    #[test]
    fn a_role_is_read_with_its_replicas() {
        let named = |replicas: &[(&str, u16)]| {
            Some(Role::Master(replicas.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect()))
        };
        assert_eq!(read_role("master\n0\n"), named(&[]));
        assert_eq!(
            read_role("master\n3129659\n10.0.0.12\n6379\n3129242\nfd00::13\n6380\n3129543"),
            named(&[("10.0.0.12", 6379), ("fd00::13", 6380)])
        );
        assert_eq!(read_role("master\n14\n127.0.0.1\n0\n14"), named(&[]), "another copy is no replica");
        for state in ["connect", "connecting", "sync", "connected"] {
            let answer = format!("slave\n10.0.0.11\n6379\n{state}\n14");
            assert_eq!(read_role(&answer), Some(Role::Replica(state.into())));
        }
        for other in ["", "sentinel\nrenttracker", "master", "master\n14\n10.0.0.12", "master\n14\nx\ny\nz"] {
            assert_eq!(read_role(other), None, "{other:?}");
        }
    }

    #[test]
    fn another_server_is_asked_with_the_same_login() {
        let url = Url::parse("rediss://backup:p%20w@redis.internal:6379/0").expect("a URL");
        let address = Address { url, ca_file: Some("ca.crt".into()) };
        for (host, expected) in [("10.0.0.12", "10.0.0.12"), ("fd00::12", "[fd00::12]"), ("redis-2", "redis-2")] {
            let there = address.at(host, 6380).expect("an address");
            assert_eq!(there.url.as_str(), format!("rediss://backup:p%20w@{expected}:6380/0"));
            assert_eq!((there.name(), there.ca_file), (format!("{expected}:6380"), address.ca_file.clone()));
        }
    }
}
