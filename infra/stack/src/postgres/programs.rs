//! The programs of PostgreSQL that are installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::find_on_path;

/// Names the folder with the programs of another PostgreSQL than the one that would be found: `cargo xtask test --matrix` sets it.
pub const POSTGRES_PROGRAMS: &str = "RENTTRACKER_POSTGRES_PROGRAMS";

/// Where a PostgreSQL server is installed: of that major `version`, else the newest. One that [`POSTGRES_PROGRAMS`] names comes first.
pub fn postgres_binaries(version: Option<&str>) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(POSTGRES_PROGRAMS).map(PathBuf::from)
        && version.is_none_or(|version| major_version(&named).is_some_and(|major| major.to_string() == version))
    {
        return Some(named);
    }
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut installed: Vec<(u32, PathBuf)> = debian
        .filter_map(|entry| entry.ok())
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("postgres").is_file() && bin.join("initdb").is_file())
        .collect();
    installed.sort();
    let on_path = find_on_path("postgres")
        .and_then(|program| Some(program.canonicalize().ok()?.parent()?.to_owned()))
        .filter(|bin| bin.join("initdb").is_file());
    if let Some(bin) = on_path
        && let Some(major) = major_version(&bin)
    {
        installed.push((major, bin));
    }
    match version {
        Some(version) => installed.into_iter().find(|(major, _)| major.to_string() == version).map(|(_, bin)| bin),
        None => installed.pop().map(|(_, bin)| bin),
    }
}

/// From `postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)`.
fn major_version(bin: &Path) -> Option<u32> {
    let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
