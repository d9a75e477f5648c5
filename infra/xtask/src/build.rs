//! `cargo xtask build`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use stack::Edition;

use crate::assets;
use crate::compile::Build;
use crate::shell::{cargo, output, say};
use crate::wasm::{TARGET, Toolchain};

#[derive(Args)]
pub struct Components {
    /// The Spin that the components are for: 4.1 and newer, or 4.0, for which the embedded host is not built
    #[arg(long, value_enum, default_value_t = Spin::V4_1)]
    spin: Spin,
}

#[derive(Clone, Copy, ValueEnum)]
enum Spin {
    #[value(name = "4.0")]
    V4_0,
    #[value(name = "4.1")]
    V4_1,
}

impl Components {
    pub fn run(self) -> Result<()> {
        match self.spin {
            Spin::V4_0 => components(&Toolchain::ready()?, Edition::Spin4_0),
            Spin::V4_1 => run(),
        }
    }
}

/// The components and the host.
pub fn run_all(toolchain: &Toolchain) -> Result<()> {
    components(toolchain, Edition::Spin4_1)?;
    host()
}

pub fn run() -> Result<()> {
    run_all(&Toolchain::ready()?)
}

/// Builds every component that the manifest of this build names.
pub fn components(toolchain: &Toolchain, edition: Edition) -> Result<()> {
    let packages = component_packages(edition)?;
    say(format!("building the components for Spin {}: {}", edition.spin(), packages.join(", ")));
    wasm(toolchain, edition, &packages)?;
    let folder = stack::repository_root().join("target").join(TARGET).join(edition.profile());
    note_build(toolchain, &folder.join("build.json"))
}

/// Where the components of [`without_chaining`] are, below the repository.
const WITHOUT_CHAINING: &str = "target/without-chaining";

/// Builds the components that `spin-4.0.toml` names as they are for Spin 4.0, but on the SDK for Spin 4.1: the embedded host
/// runs those. For tests alone, so built quickly.
pub fn without_chaining(toolchain: &Toolchain) -> Result<()> {
    let packages = component_packages(Edition::Spin4_0)?;
    assets::prepare()?;
    say(format!("building the components without service chaining: {}", packages.join(", ")));
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    let build = Build { packages: &names, profile: "release", target: Some(TARGET), feature: Some("without-chaining") };
    build.run_after(|command| {
        let (root, target) = (stack::repository_root(), stack::repository_root().join(WITHOUT_CHAINING));
        command.arg("--target-dir").arg(&target);
        command.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        toolchain.apply(command, &root, &target)
    })
}

/// The components that the benchmark compares with.
pub const FLOORS: [&str; 3] = ["floor", "naive", "one-get"];

/// Builds [`FLOORS`]: beside the others, so that they get the very same libraries.
pub fn floors(toolchain: &Toolchain) -> Result<()> {
    let mut packages = component_packages(Edition::Spin4_1)?;
    packages.extend(FLOORS.map(str::to_owned));
    wasm(toolchain, Edition::Spin4_1, &packages)
}

fn wasm(toolchain: &Toolchain, edition: Edition, packages: &[String]) -> Result<()> {
    assets::prepare()?;
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    let (profile, feature) = (edition.profile(), edition.feature());
    let build = Build { packages: &names, profile, target: Some(TARGET), feature };
    let (root, into) = (stack::repository_root(), target_directory()?);
    build.run_after(|command| toolchain.apply(command, &root, &into))?;
    let folder = Path::new(TARGET).join(profile);
    for package in packages {
        bring_home(&folder.join(wasm_file(package)))?;
    }
    Ok(())
}

/// Notes compiler and profile beside the components: how many instructions a request takes depends on both. Cargo takes
/// the profile from the environment before Cargo.toml.
fn note_build(toolchain: &Toolchain, file: &Path) -> Result<()> {
    let overrides: BTreeMap<String, String> =
        std::env::vars().filter(|(name, _)| name.starts_with("CARGO_PROFILE_RELEASE_")).collect();
    let note = serde_json::json!({ "compiler": toolchain.version()?, "overrides": overrides });
    std::fs::write(file, note.to_string()).with_context(|| format!("cannot write {}", file.display()))
}

/// Builds the embedded host.
pub fn host() -> Result<()> {
    say("building the embedded host, with the WebAssembly runtime that is in it");
    Build { packages: &["edge-host"], profile: "host", target: None, feature: None }.run()?;
    bring_home(Path::new("host/edge-host"))
}

/// Whether the components were built before, of whatever source.
pub fn has_components(edition: Edition) -> Result<bool> {
    let folder = stack::repository_root().join("target").join(TARGET).join(edition.profile());
    let is_there = |package: &String| folder.join(wasm_file(package)).is_file();
    Ok(component_packages(edition)?.iter().all(is_there))
}

/// Whether the embedded host was built before, of whatever source.
pub fn has_host() -> bool {
    stack::host_binary().is_file()
}

/// The name of the file that a component becomes.
pub fn wasm_file(package: &str) -> String {
    format!("{}.wasm", package.replace('-', "_"))
}

/// The names under `[component.…]` in the manifest, which are those of the packages.
pub fn component_packages(edition: Edition) -> Result<Vec<String>> {
    packages_of(&stack::repository_root(), edition)
}

/// The same for another checkout.
pub fn packages_of(checkout: &Path, edition: Edition) -> Result<Vec<String>> {
    let path = checkout.join(edition.manifest());
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: toml::Table = text.parse().with_context(|| format!("{} is no TOML", path.display()))?;
    let components = manifest.get("component").and_then(toml::Value::as_table);
    Ok(components.with_context(|| format!("{} has no component", path.display()))?.keys().cloned().collect())
}

/// `spin.toml` and the host look into `target/` of the repository. Where cargo is told to build elsewhere
/// (`CARGO_TARGET_DIR`, a cache outside the clone), what was built is copied there.
fn bring_home(artefact: &Path) -> Result<()> {
    let built = target_directory()?.join(artefact);
    let expected = stack::repository_root().join("target").join(artefact);
    ensure!(built.is_file(), "the build left no {}", built.display());
    if built.canonicalize().ok() == expected.canonicalize().ok() {
        return Ok(());
    }
    let folder = expected.parent().context("it has a folder")?;
    std::fs::create_dir_all(folder)?;
    // A running host keeps the old file open: it is replaced, not written over.
    let fresh = expected.with_extension("new");
    std::fs::copy(&built, &fresh).with_context(|| format!("cannot copy to {}", fresh.display()))?;
    std::fs::rename(&fresh, &expected).with_context(|| format!("cannot write {}", expected.display()))
}

/// Where cargo puts what it builds.
pub fn target_directory() -> Result<PathBuf> {
    let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    Ok(metadata["target_directory"].as_str().context("cargo names no target directory")?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_of_the_manifest_is_a_package_of_its_name() {
        for edition in [Edition::Spin4_0, Edition::Spin4_1] {
            let packages = component_packages(edition).expect("read");
            assert!(packages.len() >= 3, "{packages:?}");
            for package in packages {
                let manifest = stack::repository_root().join("components").join(&package).join("Cargo.toml");
                let text = std::fs::read_to_string(manifest).expect("a package");
                assert!(text.contains(&format!("name = \"{package}\"")), "{package}");
            }
        }
    }
}
