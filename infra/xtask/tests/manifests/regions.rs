//! The manifests of several regions: those of one, patched.

use json_patch::Patch;
use serde_json::Value;

use crate::{documents, object, read, schema};

const FIRST: &str = "infra/deploy/regions/first";
const FURTHER: &str = "infra/deploy/regions/further";

/// What the patches of a folder make of the objects that they are for.
fn patched(folder: &str) -> Vec<Value> {
    let kustomization = &documents(&read(&format!("{folder}/kustomization.yaml")))[0];
    let patches = kustomization["patches"].as_array().expect("patches");
    let apply = |patch: &Value| {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let mut changed = object(&text(&patch["target"]["kind"]), &text(&patch["target"]["name"]));
        let file = format!("{folder}/{}", text(&patch["path"]));
        let operations: Patch = serde_json::from_value(documents(&read(&file)).remove(0)).expect("a JSON patch");
        json_patch::patch(&mut changed, &operations).unwrap_or_else(|error| panic!("{file}: {error}"));
        changed
    };
    patches.iter().map(apply).collect()
}

/// All of both folders.
pub fn all() -> impl Iterator<Item = (&'static str, Value)> {
    [FIRST, FURTHER].into_iter().flat_map(|folder| patched(folder).into_iter().map(move |object| (folder, object)))
}

fn of(folder: &str, kind: &str) -> Value {
    patched(folder).into_iter().find(|it| it["kind"] == kind).unwrap_or_else(|| panic!("{folder} patches no {kind}"))
}

/// A variable of the app: its value, or the key of the secret that has it.
fn variable(folder: &str, name: &str) -> Option<String> {
    let app = of(folder, "SpinApp");
    let found = app["spec"]["variables"].as_array()?.iter().find(|it| it["name"] == name)?.clone();
    found["value"].as_str().or(found["valueFrom"]["secretKeyRef"]["key"].as_str()).map(str::to_owned)
}

#[test]
fn every_patched_manifest_is_what_the_schema_of_its_kind_says() {
    for (folder, object) in all() {
        assert_eq!(schema::faults(&object), Vec::<String>::new(), "{folder}: {}", object["kind"]);
    }
}

#[test]
fn each_region_has_a_name_of_its_own_and_the_key_that_all_share() {
    let names = [FIRST, FURTHER].map(|folder| variable(folder, "region").expect("a region"));
    assert_ne!(names[0], names[1]);
    let example = read("infra/deploy/regions/secrets.env.example");
    for folder in [FIRST, FURTHER] {
        let key = variable(folder, "session_key").expect("a key");
        assert!(example.contains(&format!("\n{key}=")), "{key} is not in secrets.env.example");
    }
}

#[test]
fn a_further_region_writes_to_the_primary_of_the_first_and_reads_its_own_standby() {
    let first = of(FIRST, "Cluster");
    let primary = first["spec"]["certificates"]["serverAltDNSNames"][0].as_str().expect("a name").to_owned();
    assert_eq!(variable(FURTHER, "database_address"), Some(format!("postgres://{primary}:5432")));
    assert_eq!(variable(FIRST, "database_read_url"), None);
    let spec = &of(FURTHER, "Cluster")["spec"];
    assert_eq!(spec["externalClusters"][0]["connectionParameters"]["host"], primary.as_str());
    assert_eq!(spec["replica"]["enabled"], true);
    let source = &spec["replica"]["source"];
    assert_eq!((&spec["bootstrap"]["pg_basebackup"]["source"], &spec["externalClusters"][0]["name"]), (source, source));
    // What the region reads is one server.
    assert_eq!(spec["instances"], 1);
    let read = variable(FURTHER, "database_read_address").expect("an address");
    let name = of(FURTHER, "Cluster")["metadata"]["name"].as_str().expect("a name").to_owned();
    assert!(read.starts_with(&format!("postgres://{name}-rw.")), "{read}");
}

/// Else the standby does not start.
#[test]
fn a_standby_takes_as_many_connections_as_its_primary() {
    let most = |folder| of(folder, "Cluster")["spec"]["postgresql"]["parameters"]["max_connections"].clone();
    assert_eq!(most(FIRST), most(FURTHER));
}

#[test]
fn the_policies_let_the_regions_reach_the_primary() {
    let opens = |folder: &str, name: &str, way: &str| {
        let policy =
            patched(folder).into_iter().find(|it| it["kind"] == "NetworkPolicy" && it["metadata"]["name"] == name);
        let policy = policy.unwrap_or_else(|| panic!("{folder} has no policy {name}"));
        let rule = policy["spec"][way].as_array().expect("rules").last().expect("a rule").clone();
        assert_eq!(rule["ports"][0]["port"], 5432, "{folder} {name}");
    };
    opens(FIRST, "renttracker-postgres", "ingress");
    opens(FURTHER, "renttracker-postgres", "egress");
    opens(FURTHER, "renttracker", "egress");
}
