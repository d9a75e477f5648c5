//! What each component is made of, as CycloneDX has it: crates by `cargo cyclonedx`, and npm's packages beside them.
//!
//! Of a package in a workspace it lists also crates that other members need, and tests. So it gets a copy of the
//! source in which there are the components alone, without their tests' dependencies.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stack::Edition;
use toml_edit::{Array, DocumentMut};
use url::Url;

use super::files::{self, Files};
use super::npm_packages;
use super::release::EDITIONS;
use super::source::Source;
use super::tools::tools;
use crate::build::packages_of;
use crate::shell::{cargo, output, run, say};
use crate::wasm::TARGET;

const VERSION: &str = "0.5.9";
/// The newest that the tool writes.
const SPECIFICATION: &str = "1.5";
/// What it reads of the source.
const READ: [&str; 3] = ["Cargo.toml", "Cargo.lock", "components"];
/// Listed although no component has it: Cargo tells tools of an optional library that a feature names weakly (`serdect?/alloc`)
/// as if it were there.
const NAMED_WEAKLY: &str = "serdect 0.4.3";
/// Holds documents to the schema of their version.
const VALIDATOR: &str = "infra/xtask/release/validate_sbom.py";

/// The documents of all components, by their paths in a release.
pub fn write(source: &Source) -> Result<Files> {
    let tool = tool()?;
    let mut documents = Files::new();
    for edition in EDITIONS {
        let packages = packages_of(&source.folder, edition)?;
        let folder = tempfile::tempdir()?;
        let folder = folder.path().canonicalize()?;
        files::write(&folder, &alone(files::read(&source.folder, &READ)?, &packages)?)?;
        let manifest = packages.first().context("there is no component")?;
        let mut command = Command::new(&tool);
        command.args(["cyclonedx", "--quiet", "--format", "json", "--spec-version", SPECIFICATION, "--target", TARGET]);
        command.args(edition.feature().iter().flat_map(|feature| ["--features", feature]));
        command.arg("--manifest-path").arg(folder.join(format!("components/{manifest}/Cargo.toml")));
        run(command.current_dir(&folder).env("SOURCE_DATE_EPOCH", source.committed.to_string()))?;
        for package in packages {
            let path = folder.join(format!("components/{package}/{package}.cdx.json"));
            let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let text = npm_packages::add(&without(&text, &folder)?, built_in(source, &package)?)?;
            documents.insert(place(edition, &package), text.into_bytes());
        }
    }
    Ok(documents)
}

/// What a component has of npm's packages.
fn built_in(source: &Source, package: &str) -> Result<Vec<Value>> {
    npm_packages::built_in(&source.folder.join("components").join(package))
}

/// Where a release has the document of a component.
fn place(edition: Edition, package: &str) -> String {
    format!("sbom/spin-{}/{package}.cdx.json", edition.spin())
}

/// A workspace of these components and what they share, without what is for tests.
fn alone(mut source: Files, packages: &[String]) -> Result<Files> {
    for (path, bytes) in &mut source {
        if !path.ends_with("Cargo.toml") {
            continue;
        }
        let mut manifest: DocumentMut = std::str::from_utf8(bytes)?.parse()?;
        manifest.remove("dev-dependencies");
        if let Some(workspace) = manifest.get_mut("workspace").and_then(|it| it.as_table_mut()) {
            workspace.remove("default-members");
            let components = packages.iter().map(|package| format!("components/{package}"));
            let members: Array = components.chain(["components/shared/*".to_owned()]).collect();
            workspace.insert("members", members.into());
        }
        *bytes = manifest.to_string().into_bytes();
    }
    Ok(source)
}

/// The document without the folder that it was made in.
fn without(document: &str, folder: &Path) -> Result<String> {
    let url = Url::from_directory_path(folder).ok().context("the folder has no URL")?;
    let document = document.replace(url.as_str(), "file:///source/");
    ensure!(!document.contains(&*folder.to_string_lossy()), "the SBOM names {}", folder.display());
    Ok(document)
}

/// The tool, after installing it if it is not there.
fn tool() -> Result<PathBuf> {
    let folder = stack::repository_root().join(format!("target/tools/cargo-cyclonedx-{VERSION}"));
    let program = folder.join("bin/cargo-cyclonedx");
    if !program.is_file() {
        say(format!("installing cargo-cyclonedx {VERSION}: it lists what the components are made of"));
        let mut command = cargo();
        // Compiled without optimisation, which would take twice as long: it works for a second.
        command.args(["install", "--quiet", "--locked", "--debug", "cargo-cyclonedx", "--version"]);
        run(command.arg(format!("={VERSION}")).arg("--root").arg(&folder))?;
    }
    Ok(program)
}

/// Holds a release's documents to their schema, and to what Cargo builds the components of: no crate that is linked is missing, and
/// none is listed that is not used.
pub fn check(source: &Source, release: &Files) -> Result<()> {
    let documents = tempfile::tempdir()?;
    for edition in EDITIONS {
        for package in packages_of(&source.folder, edition)? {
            let place = place(edition, &package);
            let bytes = release.get(&place).with_context(|| format!("the release has no {place}"))?;
            std::fs::write(documents.path().join(format!("{}-{package}.cdx.json", edition.spin())), bytes)?;
            let listed = listed(bytes)?;
            let npm: Vec<_> = built_in(source, &package)?.iter().filter_map(name_and_version).collect();
            let mut linked = crates_of(source, edition, &package, "normal")?;
            linked.extend(npm.iter().cloned());
            let missing: Vec<_> = linked.difference(&listed).collect();
            let mut used = crates_of(source, edition, &package, "normal,build")?;
            used.extend(npm);
            used.insert(NAMED_WEAKLY.to_owned());
            let added: Vec<_> = listed.difference(&used).collect();
            ensure!(
                missing.is_empty() && added.is_empty(),
                "{place} lacks {missing:?} of {package}, and has {added:?} beside"
            );
        }
    }
    let mut validator = Command::new(tools()?.join("python"));
    run(validator.arg(stack::repository_root().join(VALIDATOR)).arg(documents.path()))
}

/// The crates that a document lists, by name and version.
fn listed(document: &[u8]) -> Result<BTreeSet<String>> {
    let document: Value = serde_json::from_slice(document)?;
    let components = document["components"].as_array().context("the SBOM lists nothing")?;
    components.iter().map(|component| name_and_version(component).context("a component without a name")).collect()
}

fn name_and_version(component: &Value) -> Option<String> {
    Some(format!("{} {}", component["name"].as_str()?, component["version"].as_str()?))
}

/// The crates of a component without itself: by `normal` edges what is linked, by `build` ones what its build scripts use too.
/// Those run on this machine, and may there need crates that the tool, which asks for the component's target, does not list.
fn crates_of(source: &Source, edition: Edition, package: &str, edges: &str) -> Result<BTreeSet<String>> {
    let mut tree = cargo();
    tree.args(["tree", "--locked", "--package", package, "--target", TARGET, "--edges", edges]);
    tree.args(["--prefix", "none", "--format", "{p}"]).current_dir(&source.folder);
    tree.args(edition.feature().map(|feature| format!("--features={package}/{feature}")));
    Ok(crates(&output(&mut tree)?))
}

/// `cargo tree` prints the component first, and behind name and version of each crate where it is from.
fn crates(tree: &str) -> BTreeSet<String> {
    let mut lines = tree.lines().filter_map(|line| line.split_once(" v"));
    lines.next();
    lines.map(|(name, rest)| format!("{name} {}", rest.split(' ').next().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_sees_the_components_alone_and_no_dependencies_of_tests() {
        let manifest = "[workspace]\nmembers = [\"infra/xtask\"]\ndefault-members = [\"tests\"]\n";
        let library = "[package]\nname = \"a\"\n\n[dependencies]\nb = \"1\"\n\n[dev-dependencies]\nc = \"1\"\n";
        let source = [("Cargo.toml", manifest), ("components/a/Cargo.toml", library), ("components/a/src/lib.rs", "")];
        let source = source.map(|(path, text)| (path.to_owned(), text.into())).into();
        let alone = alone(source, &["a".into()]).expect("manifests");
        let text = |path: &str| String::from_utf8(alone[path].clone()).expect("text");
        let expected = "[workspace]\nmembers = [\"components/a\", \"components/shared/*\"]\n";
        assert_eq!(text("Cargo.toml"), expected);
        assert_eq!(text("components/a/Cargo.toml"), "[package]\nname = \"a\"\n\n[dependencies]\nb = \"1\"\n");
    }

    #[test]
    fn a_document_names_no_folder_of_the_machine() {
        let folder = Path::new("/tmp/a folder");
        let document = r#"{"bom-ref": "path+file:///tmp/a%20folder/components/ops#0.1.0"}"#;
        let expected = r#"{"bom-ref": "path+file:///source/components/ops#0.1.0"}"#;
        assert_eq!(without(document, folder).expect("it is replaced"), expected);
        assert!(without(r#"{"name": "/tmp/a folder/ops"}"#, folder).is_err());
    }

    #[test]
    fn crates_are_compared_by_name_and_version() {
        let tree = "ops v0.1.0 (/work)\nserde v1.0.2\nserde v1.0.2 (*)\nsyn v2.0.0 (proc-macro)\n";
        let document =
            r#"{"components": [{"name": "syn", "version": "2.0.0"}, {"name": "serde", "version": "1.0.2"}]}"#;
        assert_eq!(crates(tree), listed(document.as_bytes()).expect("listed"));
    }
}
