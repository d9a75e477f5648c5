//! Which schema a manifest must fulfil, and whether it does. A member that the schema does not know is a fault too: most
//! slips are a misspelt name or a wrong indentation, which Kubernetes would drop with a warning at most.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::custom::{Cluster, Kustomization, SpinApp, SpinAppExecutor};

fn schema_of<T: JsonSchema>() -> Value {
    let mut schema = schemars::schema_for!(T).to_value();
    forbid_the_unknown(&mut schema);
    schema
}

pub fn forbid_the_unknown(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".into(), json!(false));
            }
            members.values_mut().for_each(forbid_the_unknown);
        }
        Value::Array(items) => items.iter_mut().for_each(forbid_the_unknown),
        _ => {}
    }
}

/// The schema of a kind that the project uses.
fn schema_for(api_version: &str, kind: &str) -> Option<Value> {
    Some(match (api_version, kind) {
        ("v1", "ConfigMap") => schema_of::<ConfigMap>(),
        ("v1", "Namespace") => schema_of::<Namespace>(),
        ("v1", "PersistentVolumeClaim") => schema_of::<PersistentVolumeClaim>(),
        ("v1", "Service") => schema_of::<Service>(),
        ("v1", "ServiceAccount") => schema_of::<ServiceAccount>(),
        ("apps/v1", "StatefulSet") => schema_of::<StatefulSet>(),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => schema_of::<HorizontalPodAutoscaler>(),
        ("batch/v1", "CronJob") => schema_of::<CronJob>(),
        ("networking.k8s.io/v1", "NetworkPolicy") => schema_of::<NetworkPolicy>(),
        ("policy/v1", "PodDisruptionBudget") => schema_of::<PodDisruptionBudget>(),
        ("core.spinkube.dev/v1alpha1", "SpinApp") => schema_of::<SpinApp>(),
        ("core.spinkube.dev/v1alpha1", "SpinAppExecutor") => schema_of::<SpinAppExecutor>(),
        ("postgresql.cnpg.io/v1", "Cluster") => schema_of::<Cluster>(),
        ("kustomize.config.k8s.io/v1beta1", "Kustomization") => schema_of::<Kustomization>(),
        _ => return None,
    })
}

/// What is wrong with a manifest; nothing, when it is as its kind's schema says.
pub fn faults(manifest: &Value) -> Vec<String> {
    let text = |name: &str| manifest[name].as_str().unwrap_or_default();
    let Some(mut schema) = schema_for(text("apiVersion"), text("kind")) else {
        return vec![format!("no schema is known for {} {}", text("apiVersion"), text("kind"))];
    };
    // Kubernetes's own types know these two as constants, not as members.
    for name in ["apiVersion", "kind"] {
        schema["properties"][name] = json!({ "type": "string" });
    }
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    validator.iter_errors(manifest).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object;

    /// The manifest as it is, and then with one change that must be found.
    fn refuses(kind: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut manifest = object(kind, name);
        assert_eq!(faults(&manifest), Vec::<String>::new(), "{kind}");
        change(&mut manifest);
        assert!(!faults(&manifest).is_empty(), "{kind}: the change was not noticed");
    }

    #[test]
    fn a_member_that_does_not_exist_is_refused() {
        refuses("SpinApp", "renttracker", |it| it["spec"]["replica"] = json!(3));
        refuses("SpinApp", "renttracker", |it| it["spec"]["checks"]["readiness"]["httpGet"]["port"] = json!(80));
        refuses("StatefulSet", "renttracker-redis", |it| it["spec"]["template"]["spec"]["container"] = json!([]));
        refuses("NetworkPolicy", "renttracker", |it| it["spec"]["ingress"][0]["form"] = json!([]));
        refuses("Cluster", "renttracker-postgres", |it| it["spec"]["managed"]["roles"][0]["bypassRls"] = json!(true));
        refuses("PodDisruptionBudget", "renttracker", |it| it["spec"]["selector"]["matchlabels"] = json!({}));
    }

    #[test]
    fn a_pod_of_the_app_cannot_be_given_nodes() {
        refuses("SpinApp", "renttracker", |it| it["spec"]["nodeSelector"] = json!({ "kubernetes.io/os": "linux" }));
        refuses("SpinApp", "renttracker", |it| it["spec"]["tolerations"] = json!([{ "operator": "Exists" }]));
        refuses("SpinAppExecutor", "spin-in-a-container", |it| {
            it["spec"]["deploymentConfig"]["nodeSelector"] = json!({ "kubernetes.io/os": "linux" });
        });
    }

    #[test]
    fn a_member_that_must_be_there_is_missed() {
        let take = |it: &mut Value, name: &str| drop(it.as_object_mut().expect("an object").remove(name));
        refuses("SpinApp", "renttracker", |it| take(&mut it["spec"], "image"));
        refuses("SpinAppExecutor", "spin-in-a-container", |it| take(&mut it["spec"], "createDeployment"));
        refuses("StatefulSet", "renttracker-redis", |it| take(&mut it["spec"], "selector"));
        refuses("HorizontalPodAutoscaler", "renttracker", |it| take(&mut it["spec"], "maxReplicas"));
        refuses("Cluster", "renttracker-postgres", |it| take(&mut it["spec"], "instances"));
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        refuses("SpinApp", "renttracker", |it| it["spec"]["variables"][1]["value"] = json!(true));
        refuses("HorizontalPodAutoscaler", "renttracker", |it| it["spec"]["minReplicas"] = json!("3"));
        refuses("Service", "renttracker-redis", |it| it["spec"]["ports"] = json!({ "port": 6379 }));
        refuses("Cluster", "renttracker-postgres", |it| {
            it["spec"]["postgresql"]["parameters"]["max_connections"] = json!(700)
        });
        refuses("Cluster", "renttracker-postgres", |it| {
            it["spec"]["postgresql"]["synchronous"]["dataDurability"] = json!("strict");
        });
    }

    #[test]
    fn a_kind_that_nobody_described_is_refused() {
        assert!(!faults(&json!({ "apiVersion": "v1", "kind": "Pods" })).is_empty());
        assert!(!faults(&json!({ "apiVersion": "apps/v1beta1", "kind": "StatefulSet" })).is_empty());
    }
}
