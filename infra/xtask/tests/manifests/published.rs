//! The manifests, held to the definitions that the operators publish. No package registry carries those and none is copied here:
//! `RENTTRACKER_CRDS` names a folder with them, from a cluster (`kubectl get crd NAME -o yaml`) or from the operators' releases.

use std::path::PathBuf;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::{documents, manifests, object, regions, schema};

/// The kinds of the project that an operator defines.
const KINDS: [(&str, &str); 3] =
    [("SpinApp", "renttracker"), ("SpinAppExecutor", "spin-in-a-container"), ("Cluster", "renttracker-postgres")];

fn definitions() -> Vec<Value> {
    let folder = PathBuf::from(std::env::var_os("RENTTRACKER_CRDS").expect("RENTTRACKER_CRDS names a folder"));
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let files = paths.filter(|path| path.extension().is_some_and(|it| it == "yaml"));
    let mut found: Vec<Value> =
        files.flat_map(|path| documents(&std::fs::read_to_string(path).expect("a file"))).collect();
    found.retain(|it| it["kind"] == "CustomResourceDefinition");
    found
}

/// What the definition of this manifest's kind and version says of it, or nothing where there is none.
fn validator(definitions: &[Value], manifest: &Value) -> Option<Validator> {
    let (group, version) = manifest["apiVersion"].as_str()?.split_once('/')?;
    let is_it = |it: &&Value| it["spec"]["group"] == group && it["spec"]["names"]["kind"] == manifest["kind"];
    let versions = definitions.iter().find(is_it)?["spec"]["versions"].as_array()?;
    let mut schema = versions.iter().find(|it| it["name"] == version)?["schema"]["openAPIV3Schema"].clone();
    // What Kubernetes itself defines.
    schema["properties"]["metadata"] = json!({ "type": "object" });
    schema::forbid_the_unknown(&mut schema);
    Some(jsonschema::validator_for(&schema).expect("a schema"))
}

fn faults(definitions: &[Value], manifest: &Value) -> Vec<String> {
    let validator = validator(definitions, manifest)
        .unwrap_or_else(|| panic!("no definition of {} {}", manifest["apiVersion"], manifest["kind"]));
    validator.iter_errors(manifest).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
#[ignore = "needs the operators' definitions in the folder RENTTRACKER_CRDS"]
fn every_manifest_of_an_operators_kind_is_what_its_published_definition_says() {
    let definitions = definitions();
    for (path, documents) in manifests() {
        for document in documents.iter().filter(|it| KINDS.iter().any(|(kind, _)| it["kind"] == *kind)) {
            assert_eq!(faults(&definitions, document), Vec::<String>::new(), "{}", path.display());
        }
    }
    for (folder, document) in regions::all().filter(|(_, it)| KINDS.iter().any(|(kind, _)| it["kind"] == *kind)) {
        assert_eq!(faults(&definitions, &document), Vec::<String>::new(), "{folder}");
    }
    for (kind, name) in KINDS {
        let mut manifest = object(kind, name);
        manifest["spec"]["nodeSelectors"] = json!({});
        assert!(!faults(&definitions, &manifest).is_empty(), "{kind}: a member that does not exist was not noticed");
    }
}
