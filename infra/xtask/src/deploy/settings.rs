//! What is checked, whatever files it was read from.

use std::collections::{BTreeMap, BTreeSet};

use super::Target;

/// Everything that the rules look at.
#[derive(Clone)]
pub struct Settings {
    /// Where it is to run.
    pub target: Target,
    /// The application's variables, by their names in `spin.toml`.
    pub variables: BTreeMap<String, String>,
    /// What `spin.toml` declares.
    pub declared: Declared,
    /// The files that hold secrets, and their permission bits.
    pub secret_files: Vec<(String, u32)>,
    /// The key-value store, where it is ours to configure.
    pub store: Option<Store>,
    /// For Kubernetes: the application's image, and the variables whose values stand in the manifest.
    pub manifest: Option<Manifest>,
    /// For Kubernetes: the images of all manifests, each with the file that names it.
    pub images: Vec<(String, String)>,
    /// The secret that `cargo xtask up` has made on this machine, if any.
    pub development_secret: Option<String>,
}

/// The variables of `spin.toml`.
#[derive(Clone)]
pub struct Declared {
    /// All names.
    pub names: BTreeSet<String>,
    /// Those without a default.
    pub required: BTreeSet<String>,
    /// Those that must not be shown.
    pub secret: BTreeSet<String>,
}

/// `[key_value_store.default]`
#[derive(Clone)]
pub struct Store {
    /// `spin`, `redis`, `azure_cosmos` or `aws_dynamo`.
    pub kind: String,
    /// Of `spin`: the SQLite file.
    pub path: Option<String>,
    /// Of `aws_dynamo`.
    pub consistent_read: bool,
}

/// What the SpinApp says, and the cluster of PostgreSQL beside it.
#[derive(Clone)]
pub struct Manifest {
    /// Where the application is pulled from.
    pub image: String,
    /// Variables whose values stand in it.
    pub literal: BTreeSet<String>,
    /// The LC_CTYPE of the database that the operator makes; `None` when it makes none.
    pub locale: Option<String>,
}

impl Settings {
    /// A variable's value; `""` when it is not set.
    pub fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }
}
