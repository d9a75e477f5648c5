//! Where things are.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::editions::Edition;
use crate::process::find_on_path;

/// A Spin that runs these components.
pub struct Spin {
    /// Where it is.
    pub program: PathBuf,
    /// Major and minor.
    pub version: (u64, u64),
    /// The build of the components that it runs.
    pub edition: Edition,
}

/// The folder that holds `spin.toml`: as it was when this was compiled, else the nearest one above the current folder.
pub fn repository_root() -> PathBuf {
    let has_manifest = |folder: &&Path| folder.join("spin.toml").is_file();
    let compiled = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).filter(has_manifest);
    let here = std::env::current_dir().unwrap_or_default();
    compiled.or_else(|| here.ancestors().find(has_manifest)).map_or_else(|| here.clone(), Path::to_owned)
}

/// The embedded host, where `cargo build --profile host -p edge-host` puts it.
pub fn host_binary() -> PathBuf {
    repository_root().join("target/host/edge-host")
}

/// Where embedded hosts of this repository keep compiled components, for each other to take them from.
pub fn compile_cache() -> PathBuf {
    repository_root().join("target/compiled-components")
}

/// The `spin` on PATH, if it is new enough (4.0) to run these components.
pub fn spin_on_path() -> Option<Spin> {
    let program = find_on_path("spin")?;
    let output = Command::new(&program).arg("--version").output().ok()?;
    let version = spin_version(&String::from_utf8_lossy(&output.stdout))?;
    Some(Spin { program, version, edition: Edition::for_spin(version)? })
}

/// Major and minor of `spin 4.1.0 (abc 2026-01-01)`. A pre-release of 4.1 counts: it has the final WASI 0.3.0.
/// `Spin Version 6.5.2` is another program of that name, a model checker.
fn spin_version(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.strip_prefix("spin ")?.split_whitespace().next()?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_spin_are_read_as_spin_prints_them() {
        let check = |text: &str, expected: Option<(u64, u64)>| assert_eq!(spin_version(text), expected, "{text}");
        check("spin 4.1.0-pre0 (94a8fc8 2026-08-21)", Some((4, 1)));
        check("spin 3.10.2", Some((3, 10)));
        check("spin 12.0.0\n", Some((12, 0)));
        check("spin", None);
        check("Spin Version 6.5.2 -- 6 December 2019", None);
        check("", None);
    }

    #[test]
    fn the_repository_is_where_spin_toml_is() {
        assert!(repository_root().join("spin.toml").is_file());
    }
}
