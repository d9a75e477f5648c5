//! What a component has built in of npm's packages, as CycloneDX has it. `served` in its `package.json` says of which.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The packages that the component in `folder` has files of; none where it has no `package.json`.
pub fn built_in(folder: &Path) -> Result<Vec<Value>> {
    let path = folder.join("package.json");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).with_context(|| format!("cannot read {name}"));
    packages(&read("package.json")?, &read("package-lock.json")?)
}

fn packages(package: &str, lock: &str) -> Result<Vec<Value>> {
    let (package, lock): (Value, Value) = (serde_json::from_str(package)?, serde_json::from_str(lock)?);
    let served = package["served"].as_array().context("package.json has no list `served`")?;
    let names: BTreeSet<String> = served.iter().filter_map(Value::as_str).map(name).collect();
    names.iter().map(|name| component(name, &lock["packages"][format!("node_modules/{name}")])).collect()
}

/// The package of a file below `node_modules`. With a scope its name has two parts.
fn name(file: &str) -> String {
    let parts = if file.starts_with('@') { 2 } else { 1 };
    file.split('/').take(parts).collect::<Vec<_>>().join("/")
}

fn component(name: &str, locked: &Value) -> Result<Value> {
    let text =
        |member: &str| locked[member].as_str().with_context(|| format!("package-lock.json has no {member} of {name}"));
    let version = text("version")?;
    let url = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
    let hash = text("integrity")?.strip_prefix("sha512-").context("an integrity by another hash")?;
    let mut digits = String::new();
    for byte in STANDARD.decode(hash)? {
        let _ = write!(digits, "{byte:02x}");
    }
    Ok(json!({
        "type": "library",
        "bom-ref": url,
        "name": name,
        "version": version,
        "scope": "required",
        "hashes": [{ "alg": "SHA-512", "content": digits }],
        "licenses": [{ "expression": text("license")? }],
        "purl": url,
    }))
}

/// Adds packages to a document, and to what its component depends on.
pub fn add(document: &str, packages: Vec<Value>) -> Result<String> {
    if packages.is_empty() {
        return Ok(document.to_owned());
    }
    let mut document: Value = serde_json::from_str(document)?;
    let root = document["metadata"]["component"]["bom-ref"].clone();
    let urls = packages.iter().map(|package| package["purl"].clone()).collect::<Vec<_>>();
    document["components"].as_array_mut().context("the SBOM lists nothing")?.extend(packages);
    let edges = document["dependencies"].as_array_mut().context("the SBOM has no dependencies")?;
    let own =
        edges.iter_mut().find(|edge| edge["ref"] == root).context("the SBOM lacks its component's dependencies")?;
    own["dependsOn"].as_array_mut().context("its component depends on nothing")?.extend(urls);
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_listed_once_with_the_hash_and_the_licence_of_the_lock_file() {
        let package = r#"{"served": ["@a/b/x.js", "@a/b/y.css"]}"#;
        let lock = r#"{"packages": {"node_modules/@a/b": {"version": "1.2.3", "integrity": "sha512-AAH/", "license": "MIT"}}}"#;
        let found = packages(package, lock).expect("packages");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["purl"], "pkg:npm/%40a/b@1.2.3");
        assert_eq!(found[0]["hashes"][0]["content"], "0001ff");
        assert!(packages(r#"{"served": ["c/x.js"]}"#, lock).is_err(), "it is not locked");
    }

    #[test]
    fn a_document_has_the_packages_as_dependencies_of_its_component() {
        let document = r#"{"metadata": {"component": {"bom-ref": "r"}}, "components": [{"name": "x"}],
            "dependencies": [{"ref": "x"}, {"ref": "r", "dependsOn": ["x"]}]}"#;
        let added = add(document, vec![json!({"purl": "p"})]).expect("a document");
        let added: Value = serde_json::from_str(&added).expect("JSON");
        assert_eq!(added["components"].as_array().map(Vec::len), Some(2));
        assert_eq!(added["dependencies"][1]["dependsOn"], json!(["x", "p"]));
        assert_eq!(add(document, Vec::new()).expect("the same"), document);
    }
}
