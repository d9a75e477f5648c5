//! The components of a release, built from a copy of its source.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use stack::Edition;

use super::files::Files;
use super::source::Source;
use crate::assets;
use crate::build::{packages_of, wasm_file};
use crate::compile::Build;
use crate::shell::say;
use crate::wasm::{TARGET, Toolchain};

/// Where a release has the components of a build.
pub fn folder(edition: Edition) -> String {
    format!("wasm/spin-{}", edition.spin())
}

/// Builds the components into `target`: their files, by their paths in a release.
pub fn build(toolchain: &Toolchain, edition: Edition, source: &Source, target: &Path) -> Result<Files> {
    let packages = packages_of(&source.folder, edition)?;
    assets::prepare_in(&source.folder)?;
    say(format!("building the components for Spin {} in {}", edition.spin(), source.folder.display()));
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    let (profile, feature) = (edition.profile(), edition.feature());
    Build { packages: &names, profile, target: Some(TARGET), feature }.run_after(|command| {
        // As the lock file has it, or not at all.
        command.args(["--locked", "--target-dir"]).arg(target);
        toolchain.apply(command, &source.folder, target)
    })?;
    read(edition, &source.folder, target)
}

/// The components that `cargo xtask build` has built here, by the same paths.
pub fn of_this_checkout(edition: Edition) -> Result<Files> {
    let root = stack::repository_root();
    read(edition, &root, &root.join("target"))
}

fn read(edition: Edition, checkout: &Path, target: &Path) -> Result<Files> {
    let built: PathBuf = target.join(TARGET).join(edition.profile());
    let file = |package: String| {
        let path = built.join(wasm_file(&package));
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((format!("{}/{package}.wasm", folder(edition)), bytes))
    };
    packages_of(checkout, edition)?.into_iter().map(file).collect()
}
