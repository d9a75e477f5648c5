//! Components without a part of the protocol, which the checkers must catch.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A manifest like `spin.toml`, written to `folder`, in which these components are built with `feature`.
pub fn manifest(folder: &Path, components: &[&str], feature: &str) -> Result<PathBuf> {
    let root = stack::repository_root();
    let text = std::fs::read_to_string(root.join("spin.toml")).context("spin.toml")?;
    let manifest: toml::Table = text.parse().context("spin.toml is no TOML")?;
    let entries = manifest.get("component").and_then(toml::Value::as_table).context("no component")?;
    let mut changed = text;
    for (id, entry) in entries {
        let source = entry.get("source").and_then(toml::Value::as_str).context("a component has a source")?;
        let path = if components.contains(&id.as_str()) { component(id, feature)? } else { root.join(source) };
        changed =
            changed.replace(&format!("source = \"{source}\""), &format!("source = {:?}", path.display().to_string()));
    }
    let path = folder.join("spin.toml");
    std::fs::write(&path, changed)?;
    Ok(path)
}

/// `RENTTRACKER_NAIVE_…` (`WRITES_WITHOUT_FENCE`, …), or built now, beside the real ones.
fn component(name: &str, feature: &str) -> Result<PathBuf> {
    let file = name.replace('-', "_");
    let variable = format!("RENTTRACKER_NAIVE_{file}_{feature}").replace('-', "_").to_uppercase();
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let target = stack::repository_root().join("target/naive");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(stack::repository_root()).args(["build", "--quiet", "--release", "--target", "wasm32-wasip2"]);
    cargo.args(["--package", name, "--features", feature, "--target-dir"]).arg(&target);
    // Sooner by minutes; its speed makes no difference to what it does wrong.
    cargo.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    let built = cargo.status().context("cargo cannot be started")?;
    ensure!(built.success(), "the build {feature} cannot be built");
    Ok(target.join(format!("wasm32-wasip2/release/{file}.wasm")))
}
