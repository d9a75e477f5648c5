//! `cargo xtask build`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::compile::Build;
use crate::shell::{cargo, output, say};
use crate::wasm::{TARGET, Toolchain};

/// The components and the host.
pub fn run_all(toolchain: &Toolchain) -> Result<()> {
    components(toolchain)?;
    host()
}

pub fn run() -> Result<()> {
    run_all(&Toolchain::ready()?)
}

/// Builds every component that `spin.toml` names.
pub fn components(toolchain: &Toolchain) -> Result<()> {
    let packages = component_packages()?;
    say(format!("building the components: {}", packages.join(", ")));
    wasm(toolchain, &packages)?;
    note_build(toolchain, &stack::repository_root().join("target").join(TARGET).join("release/build.json"))
}

/// The components that the benchmark compares with.
pub const FLOORS: [&str; 2] = ["floor", "one-get"];

/// Builds [`FLOORS`]: beside the others, so that they get the very same libraries.
pub fn floors(toolchain: &Toolchain) -> Result<()> {
    let mut packages = component_packages()?;
    packages.extend(FLOORS.map(str::to_owned));
    wasm(toolchain, &packages)
}

fn wasm(toolchain: &Toolchain, packages: &[String]) -> Result<()> {
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    let build = Build { packages: &names, profile: "release", target: Some(TARGET) };
    build.run_after(|command| toolchain.apply(command))?;
    let folder = Path::new(TARGET).join("release");
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
    Build { packages: &["edge-host"], profile: "host", target: None }.run()?;
    bring_home(Path::new("host/edge-host"))
}

/// Whether the components were built before, of whatever source.
pub fn has_components() -> Result<bool> {
    let folder = stack::repository_root().join("target").join(TARGET).join("release");
    let is_there = |package: &String| folder.join(wasm_file(package)).is_file();
    Ok(component_packages()?.iter().all(is_there))
}

/// Whether the embedded host was built before, of whatever source.
pub fn has_host() -> bool {
    stack::host_binary().is_file()
}

/// The name of the file that a component becomes.
fn wasm_file(package: &str) -> String {
    format!("{}.wasm", package.replace('-', "_"))
}

/// The names under `[component.…]` in `spin.toml`, which are those of the packages.
pub fn component_packages() -> Result<Vec<String>> {
    let path = stack::repository_root().join("spin.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: toml::Table = text.parse().context("spin.toml is no TOML")?;
    let components = manifest.get("component").and_then(toml::Value::as_table).context("spin.toml has no component")?;
    Ok(components.keys().cloned().collect())
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
        let packages = component_packages().expect("read");
        assert!(!packages.is_empty());
        for package in packages {
            let manifest = stack::repository_root().join("components").join(&package).join("Cargo.toml");
            let text = std::fs::read_to_string(manifest).expect("a package");
            assert!(text.contains(&format!("name = \"{package}\"")), "{package}");
        }
    }
}
