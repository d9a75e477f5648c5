//! `cargo xtask deploy`: `check` refuses unsafe settings of a target, and says how to mend each; `drill` carries out the guide
//! for one machine on servers of its own.

mod address;
mod advisories;
mod drill;
mod guide;
mod machine;
mod read;
mod rules;
mod settings;
mod witness;

use std::fmt;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::report::{Report, Reporting};
use crate::scene::Drill;
use settings::Settings;

pub use drill::rehearse;

const ABOUT_AKAMAI: &str = "Akamai Functions does not document WASI 0.3.0, which the components need, and they were not tried there. \
    infra/deploy/README.md says what to try before anything else";

#[derive(Args)]
pub struct Deploy {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Refuse unsafe settings, and say how to mend each
    Check(Reporting<Check>),
    /// Deploy a release with another configuration of Redis and roll it back, on servers started for that; prints the time taken
    Drill(Reporting<Drill>),
}

#[derive(Args)]
struct Check {
    /// Where the application is to run
    #[arg(long, value_enum)]
    target: Target,
    /// The file with the variables: all of them, or for kubernetes those that become the secret
    #[arg(long)]
    env: PathBuf,
    /// Spin's runtime configuration; by default that of infra/deploy for the target
    #[arg(long)]
    runtime_config: Option<PathBuf>,
    /// For kubernetes: the folder with the manifests; by default infra/deploy/kubernetes
    #[arg(long)]
    manifests: Option<PathBuf>,
    /// Look at this database too, as the role that migrates it; without it nothing is connected to
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
}

/// A way to run the application in production.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Spin under systemd, Redis and PostgreSQL beside it
    OneMachine,
    /// SpinKube
    Kubernetes,
    /// Akamai (Fermyon) Functions
    Akamai,
}

/// What is unsafe in a target's settings.
#[derive(Serialize)]
struct Checked {
    target: Target,
    /// How many variables are set.
    variables: usize,
    findings: Vec<rules::Finding>,
    /// What is known of the target, and nothing to mend.
    notes: Vec<&'static str>,
}

impl Deploy {
    pub fn run(self) -> Result<()> {
        match self.task {
            Task::Check(check) => check.run(Check::run),
            Task::Drill(drill) => drill.run(|drill| drill.run(rehearse)),
        }
    }
}

impl Check {
    fn run(self) -> Result<Checked> {
        let settings = self.read()?;
        let mut findings = rules::findings(&settings);
        if let Some(url) = &self.database_url {
            findings.extend(database(url));
        }
        let notes = if self.target == Target::Akamai { vec![ABOUT_AKAMAI] } else { Vec::new() };
        Ok(Checked { target: self.target, variables: settings.variables.len(), findings, notes })
    }

    fn read(&self) -> Result<Settings> {
        let folder = stack::repository_root().join("infra/deploy");
        let default = |name: &str| folder.join(name);
        let runtime_config = match (self.target, &self.runtime_config) {
            (_, Some(path)) => Some(path.clone()),
            (Target::OneMachine, None) => Some(default("one-machine/runtime-config.toml")),
            (Target::Kubernetes, None) => Some(default("kubernetes/runtime-config.toml")),
            // The platform's store is not ours to configure.
            (Target::Akamai, None) => None,
        };
        let manifests = (self.target == Target::Kubernetes)
            .then(|| self.manifests.clone().unwrap_or_else(|| default("kubernetes")));
        read::settings(self.target, &self.env, runtime_config.as_deref(), manifests.as_deref())
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rules::Finding { what, problem, mend } in &self.findings {
            writeln!(f, "{what}: {problem}\n    mend it: {mend}")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))?;
        match self.findings.len() {
            0 => write!(f, "{} variables: nothing unsafe was found", self.variables),
            count => write!(f, "{} variables: {count} settings are not safe", self.variables),
        }
    }
}

impl Report for Checked {
    fn verdict(self) -> Result<()> {
        ensure!(self.findings.is_empty(), "{} settings are not safe to deploy", self.findings.len());
        Ok(())
    }
}

/// What prevents the migrations in this database, and what could be better.
fn database(url: &str) -> Vec<rules::Finding> {
    let finding = |problem| rules::Finding { what: "the database".into(), problem, mend: "as it says".into() };
    match stack::remarks(url) {
        Ok(remarks) => remarks.into_iter().map(finding).collect(),
        Err(error) => vec![finding(format!("{error:#}"))],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report;

    fn checked(findings: Vec<rules::Finding>) -> Checked {
        Checked { target: Target::OneMachine, variables: 7, findings, notes: vec!["a note"] }
    }

    #[test]
    fn a_finding_is_told_with_what_mends_it_and_fails_the_command() {
        let finding = || rules::Finding { what: "a".into(), problem: "is b".into(), mend: "do c".into() };
        let expected = "a: is b\n    mend it: do c\nnote: a note\n7 variables: 1 settings are not safe";
        assert_eq!(checked(vec![finding()]).to_string(), expected);
        let expected = json!({
            "target": "one-machine", "variables": 7, "findings": [{ "what": "a", "problem": "is b", "mend": "do c" }],
            "notes": ["a note"],
        });
        report::tests::check("deploy check", &checked(vec![finding()]), expected);
        assert!(checked(vec![finding()]).verdict().is_err());
        checked(Vec::new()).verdict().expect("a note is nothing to mend");
        assert!(checked(Vec::new()).to_string().ends_with("nothing unsafe was found"));
    }
}
