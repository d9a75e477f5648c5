//! The files of `infra/redis`, and HAProxy's of `infra/deploy`, fitted to loopback: what is tested is what runs in production.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// What has no place on loopback: addresses and folders, which are given on the command line, TLS, users and passwords.
const NOT_ON_LOOPBACK: [&str; 8] =
    ["bind ", "port ", "tls-", "dir ", "aclfile ", "masteruser ", "include ", "sentinel auth-user "];

/// Where the production files are.
pub(crate) fn path(name: &str) -> PathBuf {
    crate::repository_root().join("infra/redis").join(name)
}

fn read(name: &str) -> Result<String> {
    let path = path(name);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn for_loopback(text: &str) -> String {
    let fits = |line: &&str| !NOT_ON_LOOPBACK.iter().any(|directive| line.starts_with(directive));
    text.lines().filter(fits).map(|line| format!("{line}\n")).collect()
}

/// Replaces a text that must be there.
fn replaced(text: &str, old: &str, new: &str) -> Result<String> {
    ensure!(text.contains(old), "the file no longer says `{old}`");
    Ok(text.replace(old, new))
}

/// `redis.conf`.
pub(crate) fn redis_conf() -> Result<String> {
    Ok(for_loopback(&read("redis.conf")?))
}

/// `sentinel.conf` for a master on this port.
pub(crate) fn sentinel_conf(master: u16) -> Result<String> {
    replaced(&for_loopback(&read("sentinel.conf")?), " 10.0.0.11 6379 2\n", &format!(" 127.0.0.1 {master} 2\n"))
}

/// `haproxy.cfg`.
pub(crate) fn haproxy_cfg() -> Result<String> {
    let text = replaced(&read("haproxy.cfg")?, " check-ssl verify required ca-file /etc/redis/tls/ca.crt", "")?;
    replaced(&text, " crt /etc/redis/tls/haproxy.pem", "")
}

/// `infra/deploy/one-machine/haproxy.cfg`.
pub(crate) fn front_cfg() -> Result<String> {
    let path = crate::repository_root().join("infra/deploy/one-machine/haproxy.cfg");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    replaced(&text, " ssl crt /etc/haproxy/renttracker.pem alpn h2,http/1.1", "")
}

#[cfg(test)]
mod tests;
