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

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};

use crate::scene::Drill;
use crate::shell::say;
use settings::Settings;

pub use drill::rehearse;

#[derive(Args)]
pub struct Deploy {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Refuse unsafe settings, and say how to mend each
    Check(Check),
    /// Deploy a release with another configuration of Redis and roll it back, on servers started for that; prints the time taken
    Drill(Drill),
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// Spin under systemd, Redis and PostgreSQL beside it
    OneMachine,
    /// SpinKube
    Kubernetes,
    /// Akamai (Fermyon) Functions
    Akamai,
}

impl Deploy {
    pub fn run(self) -> Result<()> {
        match self.task {
            Task::Check(check) => check.run(),
            Task::Drill(drill) => drill.run(rehearse),
        }
    }
}

impl Check {
    fn run(self) -> Result<()> {
        let settings = self.read()?;
        let mut findings = rules::findings(&settings);
        if let Some(url) = &self.database_url {
            findings.extend(database(url));
        }
        for finding in &findings {
            say(format!("{}: {}\n    mend it: {}", finding.what, finding.problem, finding.mend));
        }
        if self.target == Target::Akamai {
            say(
                "note: Akamai Functions does not document WASI 0.3.0, which the components need, and they were not tried there. \
                 infra/deploy/README.md says what to try before anything else",
            );
        }
        match findings.len() {
            0 => {
                say(format!("{} variables: nothing unsafe was found", settings.variables.len()));
                Ok(())
            }
            count => bail!("{count} settings are not safe to deploy"),
        }
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

/// What prevents the migrations in this database, and what could be better.
fn database(url: &str) -> Vec<rules::Finding> {
    let finding = |problem| rules::Finding { what: "the database".into(), problem, mend: "as it says".into() };
    match stack::remarks(url) {
        Ok(remarks) => remarks.into_iter().map(finding).collect(),
        Err(error) => vec![finding(format!("{error:#}"))],
    }
}
