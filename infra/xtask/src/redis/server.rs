//! A Redis server, asked through `redis-cli`: the same program copies it, over the same connection settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use url::Url;

/// How many entries are compared.
const SAMPLE: u32 = 64;

/// Answers a line `digest milliseconds-to-live key` for each of KEYS, or of ARGV[1] keys that it finds itself: no value
/// leaves the server. Run with `EVAL_RO`, which a user who may only read may use.
const DIGESTS: &str = include_str!("digests.lua");

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

    /// What it answers to a command. An error tells the command's name alone: its arguments can be keys, or a script.
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
