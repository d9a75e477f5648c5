//! The folder `.dev`: what `up` keeps between runs, and what other programs read of it.

use std::fs::{File, Permissions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// Only the owner may read what holds a secret.
const SECRET_MODE: u32 = 0o600;
/// Others may enter, but not list: the user that PostgreSQL runs as has to reach its own folder.
const FOLDER_MODE: u32 = 0o711;

/// `.dev/stack.json`: all that a program needs to use what `up` has started.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub base_url: String,
    pub redis_url: String,
    /// As the components use it.
    pub database_url: String,
    /// For schema changes, and to inspect the data without the components.
    pub admin_database_url: String,
    pub redis_instance_name: String,
    pub runtime: String,
    pub jwt_secret: String,
    pub jwt_issuer: String,
    pub jwt_audience: String,
    pub pids: Pids,
}

/// `null` for what `up` did not start.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Pids {
    pub host: Option<u32>,
    pub redis: Option<u32>,
    pub postgres: Option<u32>,
}

impl Facts {
    /// Whether the host runs that they are about: `up` may have been killed, and have left them behind.
    pub fn is_running(&self) -> bool {
        // No signal is sent: it is only asked whether one could be, and another user's process answers that too.
        let is_there = |pid: u32| kill(Pid::from_raw(pid.cast_signed()), None) != Err(Errno::ESRCH);
        self.pids.host.is_some_and(is_there)
    }
}

/// The folder itself.
pub struct Dev {
    root: PathBuf,
}

impl Dev {
    /// Makes it if there is none.
    pub fn open() -> Result<Dev> {
        Dev::open_in(&stack::repository_root())
    }

    /// The one of this repository.
    pub fn open_in(repository: &Path) -> Result<Dev> {
        let root = repository.join(".dev");
        std::fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
        // Fails where another user owns it, whose choice then stands.
        let _ = std::fs::set_permissions(&root, Permissions::from_mode(FOLDER_MODE));
        Ok(Dev { root })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Held for as long as the answer lives: two `up` would share a PostgreSQL's data.
    pub fn lock(&self) -> Result<File> {
        let path = self.path("lock");
        let file = File::options().create(true).append(true).mode(SECRET_MODE).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => match self.facts() {
                Ok(facts) => bail!("`cargo xtask up` runs already, on {}; stop it first", facts.base_url),
                Err(_) => bail!("`cargo xtask up` is starting already in this repository; stop it first"),
            },
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }

    /// The secret that signs tokens: `JWT_SECRET` from the environment, else one made here once.
    pub fn jwt_secret(&self) -> Result<String> {
        match std::env::var("JWT_SECRET") {
            Ok(secret) if !secret.is_empty() => Ok(secret),
            _ => self.own_secret("jwt_secret"),
        }
    }

    /// The password of the role that the components log in as, made here once.
    pub fn database_password(&self) -> Result<String> {
        self.own_secret("database_password")
    }

    fn own_secret(&self, name: &str) -> Result<String> {
        let path = self.path(name);
        match std::fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot read {}", path.display()))
            }
            _ => {
                let secret = stack::random_secret()?;
                write_secret(&path, &secret)?;
                Ok(secret)
            }
        }
    }

    pub fn facts(&self) -> Result<Facts> {
        let path = self.path("stack.json");
        let text = std::fs::read_to_string(&path)
            .context("there is no .dev/stack.json: start `cargo xtask up`, or give the URL")?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged; remove it", path.display()))
    }

    pub fn write_facts(&self, facts: &Facts) -> Result<()> {
        write_secret(&self.path("stack.json"), &format!("{}\n", serde_json::to_string_pretty(facts)?))
    }

    pub fn remove_facts(&self) {
        let _ = std::fs::remove_file(self.path("stack.json"));
    }
}

/// Whole or not at all: a reader never sees half of it, and it is never readable for others, not even for a moment.
fn write_secret(path: &Path, text: &str) -> Result<()> {
    let fresh = path.with_extension("new");
    let _ = std::fs::remove_file(&fresh);
    let written = File::options()
        .write(true)
        .create_new(true)
        .mode(SECRET_MODE)
        .open(&fresh)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| std::fs::rename(&fresh, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// What `up` writes when this process is its host.
    pub fn facts_of(host: u32) -> Facts {
        Facts { pids: Pids { host: Some(host), redis: None, postgres: None }, ..facts() }
    }

    fn facts() -> Facts {
        Facts {
            base_url: "http://127.0.0.1:3000".into(),
            redis_url: "redis://127.0.0.1:1".into(),
            database_url: "postgres://h/db?options=x".into(),
            admin_database_url: "postgres://h/db".into(),
            redis_instance_name: "RentTracker_".into(),
            runtime: "embedded".into(),
            jwt_secret: "secret".into(),
            jwt_issuer: "RentTracker".into(),
            jwt_audience: "RentTracker".into(),
            pids: Pids { host: Some(7), redis: None, postgres: Some(9) },
        }
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn stack_json_has_the_members_that_others_read() {
        let expected = serde_json::json!({
            "base_url": "http://127.0.0.1:3000",
            "redis_url": "redis://127.0.0.1:1",
            "database_url": "postgres://h/db?options=x",
            "admin_database_url": "postgres://h/db",
            "redis_instance_name": "RentTracker_",
            "runtime": "embedded",
            "jwt_secret": "secret",
            "jwt_issuer": "RentTracker",
            "jwt_audience": "RentTracker",
            "pids": { "host": 7, "redis": null, "postgres": 9 },
        });
        assert_eq!(serde_json::to_value(facts()).expect("JSON"), expected);
    }

    #[test]
    fn what_holds_a_secret_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let dev = Dev::open_in(folder.path()).expect("opened");
        dev.write_facts(&facts()).expect("written");
        dev.write_facts(&facts()).expect("written over");
        dev.own_secret("jwt_secret").expect("made");
        assert_eq!(mode(&dev.path("stack.json")), 0o600);
        assert_eq!(mode(&dev.path("jwt_secret")), 0o600);
        assert_eq!(dev.facts().expect("read"), facts());
        dev.remove_facts();
        assert!(dev.facts().is_err());
    }

    #[test]
    fn what_a_killed_up_has_left_behind_does_not_run() {
        assert!(facts_of(std::process::id()).is_running(), "we do");
        let mut ended = std::process::Command::new("true").spawn().expect("started");
        ended.wait().expect("ended");
        assert!(!facts_of(ended.id()).is_running());
    }

    #[test]
    fn the_secret_is_made_once_and_is_long_enough() {
        let folder = tempfile::tempdir().expect("a folder");
        let dev = Dev::open_in(folder.path()).expect("opened");
        let secret = dev.own_secret("jwt_secret").expect("made");
        assert!(secret.len() >= 43, "32 bytes are 43 characters of base64url");
        assert_eq!(dev.own_secret("jwt_secret").expect("read"), secret);
        assert_ne!(dev.own_secret("another").expect("made"), secret);
    }

    #[test]
    fn a_second_up_is_refused_and_told_where_the_first_serves() {
        let folder = tempfile::tempdir().expect("a folder");
        let dev = Dev::open_in(folder.path()).expect("opened");
        let first = dev.lock().expect("locked");
        dev.write_facts(&facts()).expect("written");
        let error = dev.lock().expect_err("refused").to_string();
        assert!(error.contains("http://127.0.0.1:3000"), "{error}");
        drop(first);
        dev.lock().expect("free again");
    }
}
