//! The kinds that Kubernetes does not bring, as their published definitions have them: SpinApp and SpinAppExecutor whole
//! (spin-operator 0.6.1, and its main branch of April 2026), of CloudNativePG's Cluster (1.28 to 1.30) and of a Kustomization
//! what the project uses. No registry carries the definitions themselves; `published.rs` holds the manifests to those.

// Only their schemas are used.
#![expect(dead_code, reason = "the types stand for their schemas; no manifest is read into them")]

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMapKeySelector, EnvVarSource, LocalObjectReference, ResourceRequirements, SecretKeySelector, ServiceSpec,
    Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct SpinApp {
    metadata: ObjectMeta,
    spec: SpinAppSpec,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct SpinAppSpec {
    image: String,
    // The definition calls it optional; without it the operator takes whichever executor comes first.
    executor: String,
    image_pull_secrets: Option<Vec<LocalObjectReference>>,
    checks: Option<HealthChecks>,
    replicas: Option<i32>,
    enable_autoscaling: Option<bool>,
    runtime_config: Option<RuntimeConfig>,
    volumes: Option<Vec<Volume>>,
    volume_mounts: Option<Vec<VolumeMount>>,
    variables: Option<Vec<SpinVar>>,
    service_annotations: Option<BTreeMap<String, String>>,
    deployment_annotations: Option<BTreeMap<String, String>>,
    pod_annotations: Option<BTreeMap<String, String>>,
    pod_labels: Option<BTreeMap<String, String>>,
    resources: Option<Resources>,
    components: Option<Vec<String>>,
    service_account_name: Option<String>,
    invocation_limits: Option<BTreeMap<String, String>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct RuntimeConfig {
    load_from_secret: Option<String>,
    sqlite_databases: Option<Vec<StoreConfig>>,
    key_value_stores: Option<Vec<StoreConfig>>,
    llm_compute: Option<ComputeConfig>,
}

#[derive(JsonSchema)]
struct StoreConfig {
    name: String,
    r#type: String,
    options: Option<Vec<RuntimeConfigOption>>,
}

#[derive(JsonSchema)]
struct ComputeConfig {
    r#type: String,
    options: Option<Vec<RuntimeConfigOption>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct RuntimeConfigOption {
    name: String,
    value: Option<String>,
    value_from: Option<RuntimeConfigSource>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct RuntimeConfigSource {
    config_map_key_ref: Option<ConfigMapKeySelector>,
    secret_key_ref: Option<SecretKeySelector>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct SpinVar {
    name: String,
    value: Option<String>,
    value_from: Option<EnvVarSource>,
}

#[derive(JsonSchema)]
struct Resources {
    limits: Option<BTreeMap<String, Quantity>>,
    requests: Option<BTreeMap<String, Quantity>>,
}

#[derive(JsonSchema)]
struct HealthChecks {
    readiness: Option<HealthProbe>,
    liveness: Option<HealthProbe>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct HealthProbe {
    http_get: Option<HttpHealthProbe>,
    initial_delay_seconds: Option<i32>,
    timeout_seconds: Option<i32>,
    period_seconds: Option<i32>,
    success_threshold: Option<i32>,
    failure_threshold: Option<i32>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct HttpHealthProbe {
    path: String,
    http_headers: Option<Vec<HttpHeader>>,
}

#[derive(JsonSchema)]
struct HttpHeader {
    name: String,
    value: String,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct SpinAppExecutor {
    metadata: ObjectMeta,
    spec: SpinAppExecutorSpec,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct SpinAppExecutorSpec {
    create_deployment: bool,
    deployment_config: Option<ExecutorDeploymentConfig>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct ExecutorDeploymentConfig {
    runtime_class_name: Option<String>,
    spin_image: Option<String>,
    ca_cert_secret: Option<String>,
    #[schemars(rename = "installDefaultCACerts")]
    install_default_ca_certs: Option<bool>,
    otel: Option<OtelConfig>,
}

#[derive(JsonSchema)]
struct OtelConfig {
    exporter_otlp_endpoint: Option<String>,
    exporter_otlp_traces_endpoint: Option<String>,
    exporter_otlp_metrics_endpoint: Option<String>,
    exporter_otlp_logs_endpoint: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Cluster {
    metadata: ObjectMeta,
    spec: ClusterSpec,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct ClusterSpec {
    instances: u32,
    image_name: Option<String>,
    bootstrap: Option<Bootstrap>,
    certificates: Option<Certificates>,
    external_clusters: Option<Vec<ExternalCluster>>,
    managed: Option<Managed>,
    postgresql: Option<Postgresql>,
    replica: Option<Replica>,
    affinity: Option<Affinity>,
    storage: Option<Storage>,
    resources: Option<ResourceRequirements>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Affinity {
    node_selector: Option<BTreeMap<String, String>>,
    tolerations: Option<Vec<Toleration>>,
    pod_anti_affinity_type: Option<PodAntiAffinityType>,
    topology_key: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum PodAntiAffinityType {
    Preferred,
    Required,
}

#[derive(JsonSchema)]
struct Bootstrap {
    initdb: Option<InitDb>,
    pg_basebackup: Option<BaseBackup>,
}

#[derive(JsonSchema)]
struct BaseBackup {
    source: String,
}

#[derive(JsonSchema)]
struct Certificates {
    #[schemars(rename = "serverAltDNSNames")]
    server_alt_dns_names: Option<Vec<String>>,
}

#[derive(JsonSchema)]
struct Replica {
    source: String,
    enabled: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct ExternalCluster {
    name: String,
    connection_parameters: Option<BTreeMap<String, String>>,
    ssl_key: Option<SecretKeySelector>,
    ssl_cert: Option<SecretKeySelector>,
    ssl_root_cert: Option<SecretKeySelector>,
}

#[derive(JsonSchema)]
struct InitDb {
    database: Option<String>,
    owner: Option<String>,
    encoding: Option<String>,
    #[schemars(rename = "localeCollate")]
    locale_collate: Option<String>,
    #[schemars(rename = "localeCType")]
    locale_c_type: Option<String>,
    #[schemars(rename = "postInitApplicationSQL")]
    post_init_application_sql: Option<Vec<String>>,
}

#[derive(JsonSchema)]
struct Managed {
    roles: Option<Vec<Role>>,
    services: Option<Services>,
}

#[derive(JsonSchema)]
struct Services {
    additional: Option<Vec<AdditionalService>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct AdditionalService {
    selector_type: SelectorType,
    service_template: ServiceTemplate,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum SelectorType {
    Rw,
    R,
    Ro,
}

#[derive(JsonSchema)]
struct ServiceTemplate {
    metadata: Option<ServiceMetadata>,
    spec: Option<ServiceSpec>,
}

#[derive(JsonSchema)]
struct ServiceMetadata {
    name: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Role {
    name: String,
    ensure: Option<Ensure>,
    login: Option<bool>,
    superuser: Option<bool>,
    createdb: Option<bool>,
    createrole: Option<bool>,
    bypassrls: Option<bool>,
    inherit: Option<bool>,
    in_roles: Option<Vec<String>>,
    connection_limit: Option<i64>,
    password_secret: Option<LocalObjectReference>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Ensure {
    Present,
    Absent,
}

#[derive(JsonSchema)]
struct Postgresql {
    synchronous: Option<Synchronous>,
    parameters: Option<BTreeMap<String, String>>,
    pg_hba: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Synchronous {
    method: SynchronousMethod,
    number: u32,
    data_durability: Option<DataDurability>,
    failover_quorum: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum DataDurability {
    Required,
    Preferred,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum SynchronousMethod {
    Any,
    First,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Storage {
    size: Option<String>,
    storage_class: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Kustomization {
    namespace: Option<String>,
    sort_options: Option<SortOptions>,
    resources: Vec<String>,
    patches: Option<Vec<Patch>>,
}

#[derive(JsonSchema)]
struct Patch {
    path: String,
    target: Selector,
}

#[derive(JsonSchema)]
struct Selector {
    kind: String,
    name: String,
}

#[derive(JsonSchema)]
struct SortOptions {
    order: SortOrder,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum SortOrder {
    Fifo,
    Legacy,
}
