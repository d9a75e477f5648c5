//! What the manifests say of each other, of `spin.toml` and of the application.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{documents, object, read, schema};

const FOLDER: &str = "infra/deploy/kubernetes";

fn app() -> Value {
    object("SpinApp", "renttracker")
}

fn toml(path: &str) -> toml::Table {
    read(path).parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn number(value: &Value) -> i64 {
    value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_else(|| panic!("{value} is no number"))
}

/// Names and their values; `None` for what comes from a secret.
fn variables() -> Vec<(String, Option<String>)> {
    let app = app();
    let list = app["spec"]["variables"].as_array().expect("variables");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    list.iter().map(|it| (text(&it["name"]).expect("a name"), text(&it["value"]))).collect()
}

#[test]
fn the_app_sets_variables_that_exist_and_all_that_have_no_default() {
    let manifest = toml("spin.toml");
    let known = manifest["variables"].as_table().expect("variables");
    let set: BTreeSet<String> = variables().into_iter().map(|(name, _)| name).collect();
    for name in &set {
        assert!(known.contains_key(name), "{name} is no variable of spin.toml");
    }
    for (name, variable) in known {
        let required = variable.get("required").and_then(toml::Value::as_bool) == Some(true);
        assert!(!required || set.contains(name), "{name} has no default, and the app does not set it");
    }
}

#[test]
fn secrets_are_in_no_manifest_and_each_is_in_the_example_of_their_file() {
    let manifest = toml("spin.toml");
    let example = read(&format!("{FOLDER}/secrets.env.example"));
    for (name, value) in variables() {
        let secret = manifest["variables"][&name].get("secret").and_then(toml::Value::as_bool) == Some(true);
        assert_eq!(secret, value.is_none(), "{name}");
        assert!(!secret || example.contains(&format!("\n{name}=")), "{name} is not in secrets.env.example");
    }
}

#[test]
fn the_probes_ask_the_two_routes_that_are_made_for_them() {
    let app = app();
    assert_eq!(app["spec"]["checks"]["readiness"]["httpGet"]["path"], "/readyz");
    assert_eq!(app["spec"]["checks"]["liveness"]["httpGet"]["path"], "/livez");
    let routes = read("components/shared/rental/src/http/route.rs");
    assert!(["\"/readyz\" =>", "\"/livez\" =>"].iter().all(|it| routes.contains(it)));
}

#[test]
fn what_scales_protects_and_guards_the_pods_names_them_as_the_operator_does() {
    let selected = serde_json::json!({ "core.spinkube.dev/app-name": "renttracker" });
    assert_eq!(object("PodDisruptionBudget", "renttracker")["spec"]["selector"]["matchLabels"], selected);
    assert_eq!(object("NetworkPolicy", "renttracker")["spec"]["podSelector"]["matchLabels"], selected);
    let target = &object("HorizontalPodAutoscaler", "renttracker")["spec"]["scaleTargetRef"];
    assert_eq!((&target["kind"], &target["name"]), (&"Deployment".into(), &app()["metadata"]["name"]));
    assert_eq!(app()["spec"]["enableAutoscaling"], true);
    let executor = app()["spec"]["executor"].as_str().expect("an executor").to_owned();
    object("SpinAppExecutor", &executor);
}

#[test]
fn no_pod_is_reached_that_no_policy_names() {
    let deny = object("NetworkPolicy", "deny-all");
    assert_eq!(deny["spec"]["podSelector"], serde_json::json!({}));
    assert_eq!(deny["spec"]["policyTypes"], serde_json::json!(["Ingress", "Egress"]));
    for key in ["ingress", "egress"] {
        assert!(deny["spec"].get(key).is_none(), "deny-all allows some {key}");
    }
}

/// The operator's webhook refuses an app whose executor is not there yet.
#[test]
fn the_executor_is_applied_before_the_app_that_names_it() {
    let kustomization = documents(&read(&format!("{FOLDER}/kustomization.yaml"))).remove(0);
    assert_eq!(
        kustomization["sortOptions"]["order"], "fifo",
        "Kustomize's own order has SpinApp before SpinAppExecutor"
    );
    let listed = kustomization["resources"].as_array().expect("a list");
    let place = |name: &str| listed.iter().position(|it| it == name).unwrap_or_else(|| panic!("{name} is not listed"));
    assert!(place("namespace.yaml") < place("executor.yaml") && place("executor.yaml") < place("app.yaml"));
}

/// A file with the comment that begins with this line put into force.
fn with_commented_out(file: &str, first: &str) -> Vec<Value> {
    let mut inside = false;
    let text = read(&format!("{FOLDER}/{file}"));
    let lines = text.lines().map(|line| {
        let comment = line.trim_start().strip_prefix("# ");
        inside = comment.is_some_and(|comment| inside || comment == first);
        if inside { line.replacen("# ", "", 1) } else { line.to_owned() }
    });
    documents(&lines.collect::<Vec<_>>().join("\n"))
}

/// Spin's spans hold tenants' data (SECURITY.md).
#[test]
fn no_collector_is_named_and_none_is_reached_by_default() {
    let executor = object("SpinAppExecutor", "spin-in-a-container");
    assert_eq!(executor["spec"]["deploymentConfig"].get("otel"), None);
    let policy = object("NetworkPolicy", "renttracker");
    let ports: Vec<_> = policy["spec"]["egress"].as_array().expect("rules").iter().map(|rule| &rule["ports"]).collect();
    assert!(!format!("{ports:?}").contains("4318"), "{ports:?}");
}

#[test]
fn the_pods_reach_the_collector_that_is_commented_out_once_it_is_not() {
    let executor = with_commented_out("executor.yaml", "otel:").remove(0);
    assert_eq!(schema::faults(&executor), Vec::<String>::new());
    let endpoint =
        executor["spec"]["deploymentConfig"]["otel"]["exporter_otlp_endpoint"].as_str().expect("an endpoint");
    let (host, port) =
        endpoint.strip_prefix("http://").and_then(|it| it.rsplit_once(':')).expect("http, a host, a port");
    let namespace = host.split('.').nth(1).expect("the namespace of a service");
    let policies = with_commented_out("network.yaml", "- to:");
    let policy = policies.iter().find(|it| it["metadata"]["name"] == "renttracker").expect("the policy");
    assert_eq!(schema::faults(policy), Vec::<String>::new());
    let lets_it_through = |rule: &Value| {
        rule["ports"][0]["port"].as_i64() == port.parse().ok()
            && rule["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] == namespace
    };
    assert!(policy["spec"]["egress"].as_array().expect("rules").iter().any(lets_it_through), "{endpoint}");
}

#[test]
fn a_write_that_was_answered_is_on_two_nodes_and_survives_a_failover() {
    let spec = &object("Cluster", "renttracker-postgres")["spec"];
    let synchronous = &spec["postgresql"]["synchronous"];
    assert!(number(&synchronous["number"]) >= 1);
    assert_eq!(synchronous["dataDurability"], "required");
    assert_eq!(synchronous["failoverQuorum"], true);
    assert!(number(&spec["instances"]) >= number(&synchronous["number"]) + 2, "one standby may be away");
    assert_eq!(spec["affinity"]["podAntiAffinityType"], "required");
    assert_eq!(spec["affinity"]["topologyKey"], "kubernetes.io/hostname");
}

#[test]
fn the_database_knows_letters_beyond_ascii() {
    let initdb = &object("Cluster", "renttracker-postgres")["spec"]["bootstrap"]["initdb"];
    assert_eq!(initdb["encoding"], "UTF8");
    assert_eq!((&initdb["localeCType"], &initdb["localeCollate"]), (&"C.UTF-8".into(), &"C.UTF-8".into()));
}

#[test]
fn instances_are_used_on_one_machine_as_long_as_by_up_and_by_the_benchmark() {
    assert!(read("infra/deploy/one-machine/renttracker.service").contains(&stack::LONG_REUSE.join(" ")));
}

/// Spin pools a component by itself, so that many connections may be open at a time.
#[test]
fn all_pods_together_have_fewer_connections_than_postgresql_takes() {
    let pool =
        toml(&format!("{FOLDER}/runtime-config.toml"))["outbound_pg"]["max_connections"].as_integer().expect("a bound");
    let manifest = toml("spin.toml");
    let connects =
        |component: &toml::Value| format!("{:?}", component["allowed_outbound_hosts"]).contains("database_address");
    let components = manifest["component"].as_table().expect("components").values().filter(|it| connects(it)).count();
    let pods = number(&object("HorizontalPodAutoscaler", "renttracker")["spec"]["maxReplicas"]);
    let cluster = object("Cluster", "renttracker-postgres");
    let role = number(&cluster["spec"]["managed"]["roles"][0]["connectionLimit"]);
    let server = number(&cluster["spec"]["postgresql"]["parameters"]["max_connections"]);
    let most = pods * pool * i64::try_from(components).expect("a few");
    assert!(most <= role, "{most} connections, and the role may have {role}");
    assert!(role < server, "none of the server's {server} is left for the operator");
}

#[test]
fn the_login_role_can_neither_own_tables_nor_pass_row_level_security() {
    let cluster = object("Cluster", "renttracker-postgres");
    let role = &cluster["spec"]["managed"]["roles"][0];
    for right in ["superuser", "createdb", "createrole", "bypassrls"] {
        assert_eq!(role[right], false, "{right}");
    }
    assert_ne!(role["name"], cluster["spec"]["bootstrap"]["initdb"]["owner"]);
    let example = read(&format!("{FOLDER}/secrets.env.example"));
    let name = role["name"].as_str().expect("a name");
    assert!(example.contains(&format!("database_url=postgres://{name}:")));
}
