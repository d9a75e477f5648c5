//! Tools from PyPI, in a virtual environment below `target/`: pinned with all they need, by version and hash.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{output, run, say};
use crate::tools::apt_install;

/// Made from `requirements.in` beside it, which says what is in it and why.
const REQUIREMENTS: &str = "infra/xtask/python/requirements.txt";
const ENVIRONMENT: &str = "target/tools/python";
/// The oldest Python that the pinned versions run on.
pub const MINIMUM: (u32, u32) = (3, 11);

/// Where the programs of the tools are.
pub fn tools() -> Result<PathBuf> {
    environment(REQUIREMENTS, ENVIRONMENT, "they check the API, its document and the dependencies")
}

/// Whether an environment is there, of what is pinned now.
pub fn has_environment(requirements_file: &str, folder: &str) -> bool {
    let root = stack::repository_root();
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    read(requirements_file).is_some_and(|wanted| read(&format!("{folder}/requirements.txt")) == Some(wanted))
}

/// Where the programs of an environment are, after making it if it is not there or not of these requirements. `reason` says what
/// they are for.
pub fn environment(requirements_file: &str, folder: &str, reason: &str) -> Result<PathBuf> {
    let root = stack::repository_root();
    let (requirements, environment) = (root.join(requirements_file), root.join(folder));
    let wanted =
        std::fs::read_to_string(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    // Written last, so that what was interrupted is made anew.
    let made_of = environment.join("requirements.txt");
    if std::fs::read_to_string(&made_of).is_ok_and(|made| made == wanted) {
        return Ok(environment.join("bin"));
    }
    ensure_python()?;
    let asked_for = std::fs::read_to_string(requirements.with_extension("in"))?;
    say(format!("installing {} from PyPI into {folder}: {reason}", names(&asked_for).join(", ")));
    make(&environment)?;
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
    // A wheel runs no code of its own while it is installed.
    run(pip.args(["--only-binary", ":all:", "--requirement"]).arg(&requirements))?;
    std::fs::write(made_of, wanted)?;
    Ok(environment.join("bin"))
}

/// The packages that a `requirements.in` names.
fn names(requirements: &str) -> Vec<&str> {
    requirements.lines().filter_map(|line| line.split_once("==").map(|(name, _)| name)).collect()
}

fn ensure_python() -> Result<()> {
    if stack::find_on_path("python3").is_none() {
        apt_install(&["python3", "python3-venv"], "Node.js and what checks the API come from PyPI")?;
    }
    let version = output(Command::new("python3").arg("--version"))?;
    if parse(&version).is_none_or(|version| version < MINIMUM) {
        bail!("{version} is too old for the tools from PyPI; put Python {}.{} or newer on PATH", MINIMUM.0, MINIMUM.1);
    }
    Ok(())
}

/// `Python 3.11.7` as a pair of numbers.
fn parse(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix("Python ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Debian's Python comes without what a virtual environment takes.
fn make(environment: &Path) -> Result<()> {
    let make = || run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment));
    if make().is_ok() {
        return Ok(());
    }
    crate::shell::check_interrupted()?;
    apt_install(&["python3-venv"], "the tools from PyPI get an environment of their own")?;
    make()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_python_is_read() {
        assert_eq!(parse("Python 3.11.7"), Some((3, 11)));
        assert_eq!(parse("Python 3.9"), Some((3, 9)));
        assert!((3, 9) < MINIMUM && (3, 13) > MINIMUM);
        assert_eq!(parse("python"), None);
    }

    #[test]
    fn the_packages_that_were_asked_for_are_named() {
        assert_eq!(
            names("# Of comments, none.\nschemathesis==4.32.5\njsonschema==4.26.0\n"),
            ["schemathesis", "jsonschema"]
        );
    }

    #[test]
    fn everything_from_pypi_is_pinned_by_version_and_hash() {
        for (file, at_least) in [
            (REQUIREMENTS, 10),
            ("infra/openapi/generators/requirements.txt", 10),
            ("infra/xtask/release/requirements.txt", 10),
            ("infra/xtask/node/requirements.txt", 1),
            ("infra/xtask/servers/requirements.txt", 3),
        ] {
            let text = std::fs::read_to_string(stack::repository_root().join(file)).expect("requirements.txt");
            let logical = text.replace("\\\n", " ");
            let packages: Vec<&str> = logical.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
            assert!(packages.len() >= at_least, "{packages:?}");
            for package in packages {
                assert!(package.contains("==") && package.contains("--hash=sha256:"), "{package}");
            }
        }
    }
}
