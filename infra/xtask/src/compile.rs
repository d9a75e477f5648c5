//! Builds with cargo, and says how far they are.
//!
//! A terminal gets cargo's own bar, which knows every unit of the build. A log gets a line now and then, instead of one for
//! each crate. Both get errors and warnings whole.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::shell::{self, cargo, output, say};

/// How often a log is told how far a build is: a build of ten minutes takes 40 lines.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// What is built.
pub struct Build<'a> {
    /// The packages' names.
    pub packages: &'a [&'a str],
    /// The profile in `Cargo.toml`.
    pub profile: &'a str,
    /// What it is built for, if it is not this machine.
    pub target: Option<&'a str>,
    /// A feature of each of the packages.
    pub feature: Option<&'a str>,
}

impl Build<'_> {
    /// Builds it.
    pub fn run(&self) -> Result<()> {
        self.run_after(|_| Ok(()))
    }

    /// Builds it by the command that `prepare` makes of cargo's.
    pub fn run_after(&self, prepare: impl FnOnce(&mut Command) -> Result<()>) -> Result<()> {
        let mut command = self.command(&["build", "--profile", self.profile]);
        prepare(&mut command)?;
        if std::io::stderr().is_terminal() {
            return shell::run(&mut command);
        }
        let progress = Progress::new(self.crates()?);
        command.args(["--quiet", "--message-format", "json-render-diagnostics"]).stdout(Stdio::piped());
        progress.follow(&mut command)
    }

    /// A command of cargo's on these packages, for this target.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = cargo();
        command.args(arguments).args(self.target.iter().flat_map(|target| ["--target", target]));
        for package in self.packages {
            command.args(["--package", package]);
            command.args(self.feature.iter().map(|feature| format!("--features={package}/{feature}")));
        }
        command
    }

    /// How many crates it is built of. Cargo fetches those that the machine lacks, and prints that.
    fn crates(&self) -> Result<usize> {
        let mut tree = self.command(&["tree", "--prefix", "none", "--format", "{p}", "--edges", "normal,build"]);
        Ok(distinct(&output(tree.stderr(Stdio::inherit()))?))
    }
}

/// `cargo tree` names a crate once for each that depends on it, and marks the later times.
fn distinct(tree: &str) -> usize {
    let names = tree.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty());
    names.collect::<BTreeSet<_>>().len()
}

/// How far a build is.
struct Progress {
    begun: Instant,
    /// About how many crates it has: Debian's compiler adds those of the standard library.
    total: usize,
    done: Arc<Mutex<Done>>,
}

/// The crates that are ready, by cargo's ids.
#[derive(Default)]
struct Done {
    ready: BTreeSet<String>,
    /// Those of them that were not ready before.
    compiled: BTreeSet<String>,
}

impl Progress {
    fn new(total: usize) -> Progress {
        Progress { begun: Instant::now(), total, done: Arc::default() }
    }

    /// Runs the build to its end.
    fn follow(&self, command: &mut Command) -> Result<()> {
        let mut running = shell::start(command)?;
        let messages = running.stdout().context("the build's messages are piped")?;
        let done = self.done.clone();
        let reader = std::thread::spawn(move || read(messages, &done));
        let mut last = self.begun;
        running.wait(|| {
            if last.elapsed() >= LINE_EVERY {
                last = Instant::now();
                say(self.line(self.begun.elapsed()));
            }
        })?;
        reader.join().map_err(|_| anyhow::anyhow!("the build's messages were not read to their end"))?;
        say(self.end(self.begun.elapsed()));
        Ok(())
    }

    fn line(&self, elapsed: Duration) -> String {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = done.ready.len();
        format!("{ready} of about {} crates after {}", self.total.max(ready), seconds(elapsed))
    }

    fn end(&self, elapsed: Duration) -> String {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        format!("built in {}: {} crates, of them {} compiled", seconds(elapsed), done.ready.len(), done.compiled.len())
    }
}

fn seconds(time: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(time.as_secs()))
}

/// What is read of cargo's messages.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    fresh: bool,
}

/// Counts the crates that cargo says are ready, until it has ended.
fn read(messages: impl Read, done: &Mutex<Done>) {
    for line in BufReader::new(messages).lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
        if message.reason != "compiler-artifact" {
            continue;
        }
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        if !message.fresh {
            done.compiled.insert(message.package_id.clone());
        }
        done.ready.insert(message.package_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(id: &str, is_fresh: bool) -> String {
        serde_json::json!({ "reason": "compiler-artifact", "package_id": id, "fresh": is_fresh }).to_string()
    }

    fn progress(total: usize, lines: &[String]) -> Progress {
        let progress = Progress::new(total);
        read(lines.join("\n").as_bytes(), &progress.done);
        progress
    }

    #[test]
    fn a_crate_counts_once_however_many_artefacts_it_has() {
        let other = r#"{"reason":"build-script-executed","package_id":"c"}"#.to_owned();
        let lines = [artifact("a", true), artifact("b", false), artifact("b", false), other, "no JSON".into()];
        let progress = progress(310, &lines);
        assert_eq!(progress.line(Duration::from_millis(80_900)), "2 of about 310 crates after 1m 20s");
        assert_eq!(progress.end(Duration::from_secs(12)), "built in 12s: 2 crates, of them 1 compiled");
    }

    #[test]
    fn more_crates_than_foreseen_are_not_more_than_all() {
        let progress = progress(1, &[artifact("a", false), artifact("std", false)]);
        assert_eq!(progress.line(Duration::ZERO), "2 of about 2 crates after 0s");
    }

    #[test]
    fn a_tree_that_names_a_crate_twice_counts_it_once() {
        assert_eq!(distinct("a v1.0.0\nb v1.0.0\nb v1.0.0 (*)\n\nb v2.0.0\na v1.0.0\n"), 3);
    }

    #[test]
    fn this_workspace_has_a_count_of_crates() {
        let build = Build { packages: &["stack"], profile: "dev", target: None, feature: None };
        assert!(build.crates().expect("counted") > 5);
    }
}
