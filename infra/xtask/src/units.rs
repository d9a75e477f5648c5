//! The systemd units of `infra`, checked by systemd's own tool. Nothing is installed or started.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::shell::{output, say};

/// The highest exposure that `systemd-analyze security` may find, in tenths: 2.5 of 10, where a unit without any setting has 9.6.
/// What is left of it are the network, which a server needs, and compiling at run time, which Spin needs.
const EXPOSURE: &str = "--threshold=25";
/// In place of what a unit starts: a checker that does not find the program checks nothing else.
const STAND_IN: &str = "/usr/bin/true";

pub fn check() -> Result<()> {
    let units = found_in(&stack::repository_root().join("infra"))?;
    ensure!(!units.is_empty(), "there are no units");
    let scratch = tempfile::tempdir()?;
    for unit in &units {
        let text = std::fs::read_to_string(unit)?;
        let name = unit.file_name().context("a unit has a name")?.to_string_lossy();
        check_one(scratch.path(), &name, &text).with_context(|| format!("{}", unit.display()))?;
    }
    // A tool that lets everything pass would be no check.
    let misspelt = "[Service]\nExecStart=/usr/bin/true\nNoNewPrivilege=yes\n";
    ensure!(check_one(scratch.path(), "misspelt.service", misspelt).is_err(), "a misspelt setting was not noticed");
    let exposed = "[Service]\nExecStart=/usr/bin/true\n";
    ensure!(
        check_one(scratch.path(), "exposed.service", exposed).is_err(),
        "a unit without any hardening was not noticed"
    );
    say(format!("{} units are well-formed and hardened", units.len()));
    Ok(())
}

/// Units, timers, and the drop-ins for units of others (`NAME.service.d.conf`).
fn found_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(found_in(&path)?);
        } else if [".service", ".timer", ".service.d.conf"].iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn check_one(scratch: &Path, name: &str, text: &str) -> Result<()> {
    let text = with_stand_ins(text);
    let Some(base) = name.strip_suffix(".d.conf") else {
        let path = scratch.join(name);
        std::fs::write(&path, text)?;
        verify(&path)?;
        if name.ends_with(".service") {
            output(Command::new("systemd-analyze").args(["security", "--offline=true", EXPOSURE]).arg(&path))?;
        }
        return Ok(());
    };
    // The unit is Debian's: here a stand-in for it. What the drop-in leaves of its hardening is not ours to judge.
    let base = base.replace('@', "@instance");
    let (unit, folder) = (scratch.join(&base), scratch.join(format!("{base}.d")));
    std::fs::create_dir_all(&folder)?;
    std::fs::write(&unit, format!("[Service]\nExecStart={STAND_IN}\n"))?;
    std::fs::write(folder.join("renttracker.conf"), text)?;
    verify(&unit)
}

fn verify(unit: &Path) -> Result<()> {
    // Without the others that it names, which need not be installed here.
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", "--generators=no", "--recursive-errors=no"]).arg(unit);
    let said = command.output().context("cannot start systemd-analyze")?;
    let text = String::from_utf8_lossy(&said.stderr);
    ensure!(said.status.success() && text.trim().is_empty(), "systemd-analyze verify: {}", text.trim());
    Ok(())
}

fn with_stand_ins(text: &str) -> String {
    let line = |line: &str| {
        let starts = line.split_once('=').filter(|(key, value)| key.starts_with("Exec") && value.starts_with('/'));
        match starts.and_then(|(key, value)| Some((key, value.split_once(' ')?.1))) {
            Some((key, arguments)) => format!("{key}={STAND_IN} {arguments}"),
            None => line.to_owned(),
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_started_is_replaced() {
        let text = "[Service]\nExecStart=/usr/local/bin/spin up --from x \\\n    --listen y\nWorkingDirectory=/opt x\n";
        let expected = "[Service]\nExecStart=/usr/bin/true up --from x \\\n    --listen y\nWorkingDirectory=/opt x";
        assert_eq!(with_stand_ins(text), expected);
    }
}
