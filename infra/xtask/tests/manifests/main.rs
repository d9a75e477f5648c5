//! The manifests of `infra`, held to the schemas of their kinds and to each other.

mod consistency;
mod custom;
mod published;
mod regions;
mod schema;
mod spin_4_0;
mod variables;

use std::path::{Path, PathBuf};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// A file of the repository.
fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents of a YAML file.
fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("YAML")
}

/// Every YAML file under `infra` that holds Kubernetes's objects.
fn manifests() -> Vec<(PathBuf, Vec<Value>)> {
    let mut folders = vec![root().join("infra")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "yaml" || it == "yml") {
                let text = std::fs::read_to_string(&path).expect("a file");
                if text.contains("\nkind:") || text.starts_with("kind:") {
                    found.push((path, documents(&text)));
                }
            }
        }
    }
    assert!(found.len() > 8, "only {} manifests", found.len());
    found
}

/// The one object of this kind and name under `infra/deploy/kubernetes`.
fn object(kind: &str, name: &str) -> Value {
    let mut all = manifests().into_iter().filter(|(path, _)| path.to_string_lossy().contains("deploy/kubernetes"));
    all.find_map(|(_, documents)| documents.into_iter().find(|it| it["kind"] == kind && it["metadata"]["name"] == name))
        .unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

#[test]
fn every_manifest_is_what_the_schema_of_its_kind_says() {
    for (path, documents) in manifests() {
        for document in documents {
            let faults = schema::faults(&document);
            assert!(faults.is_empty(), "{}: {faults:#?}", path.display());
        }
    }
}

#[test]
fn every_manifest_of_the_folder_is_applied() {
    let kustomization = &documents(&read("infra/deploy/kubernetes/kustomization.yaml"))[0];
    let listed: Vec<&str> =
        kustomization["resources"].as_array().expect("a list").iter().map(|it| it.as_str().expect("a name")).collect();
    for (path, _) in manifests() {
        let name = path.file_name().expect("a name").to_string_lossy();
        if path.parent().is_some_and(|it| it.ends_with("deploy/kubernetes")) && name != "kustomization.yaml" {
            assert!(listed.contains(&name.as_ref()), "{name} is not in kustomization.yaml");
        }
    }
    assert!(listed.iter().all(|name| root().join("infra/deploy/kubernetes").join(name).is_file()));
}
