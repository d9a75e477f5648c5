//! `spin.toml`, read as Spin reads it. A setting that this host does not support is refused by name, not ignored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::names::{check_variable, is_component_id};

/// The parts of the manifest that the host runs on.
#[derive(Debug)]
pub struct Manifest {
    /// `application.name`.
    name: String,
    /// `application.version`, empty when it is not given.
    version: String,
    /// The application's variables, by name.
    pub variables: BTreeMap<String, Variable>,
    /// The `[[trigger.http]]` entries, in the manifest's order.
    pub triggers: Vec<Trigger>,
    /// The components, by id.
    pub components: BTreeMap<String, Component>,
}

impl Manifest {
    /// What Spin answers at `/.well-known/spin/info`.
    pub fn info(&self) -> String {
        let mut info = serde_json::json!({ "name": self.name });
        if !self.version.is_empty() {
            info["version"] = self.version.clone().into();
        }
        format!("{info:#}")
    }
}

/// One entry of `[variables]`. `secret` and `description` change nothing at run time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Whether a value must be given from outside.
    #[serde(default)]
    pub required: bool,
    /// The value when none is given.
    pub default: Option<String>,
    /// Whether the value is sensitive.
    #[serde(default, rename = "secret")]
    _secret: bool,
    #[serde(default, rename = "description")]
    _description: String,
}

/// A route and the component that answers it.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// The id of the component.
    pub component: String,
    /// The route pattern; `None` is `{ private = true }`.
    pub route: Option<String>,
}

/// One `[component.<id>]`.
#[derive(Debug)]
pub struct Component {
    /// The wasm file, resolved against the manifest's folder.
    pub source: PathBuf,
    /// The component's own variables: templates over the application's.
    pub variables: BTreeMap<String, String>,
    /// What the component may connect to: templates too.
    pub allowed_outbound_hosts: Vec<String>,
    /// The key-value stores that the component may open.
    pub key_value_stores: Vec<String>,
}

/// Reads and checks the manifest at `path`.
pub fn load(path: &Path) -> Result<Manifest> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the manifest {}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(&text, folder).with_context(|| format!("cannot run the manifest {}", path.display()))
}

/// Parses a manifest whose component sources are relative to `folder`.
pub fn parse(text: &str, folder: &Path) -> Result<Manifest> {
    let file: File = toml::from_str(text)?;
    ensure!(file.spin_manifest_version == 2, "spin_manifest_version must be 2, not {}", file.spin_manifest_version);
    for (name, variable) in &file.variables {
        check_variable(name).map_err(|reason| anyhow::anyhow!("variable {name:?}: {reason}"))?;
        ensure!(
            variable.required != variable.default.is_some(),
            "variable {name:?} must have either a default or `required = true`"
        );
    }
    if let Some(kind) = file.trigger.keys().find(|kind| *kind != "http") {
        bail!("trigger.{kind} is not supported: this host serves trigger.http alone");
    }
    let components = file
        .component
        .into_iter()
        .map(|(id, entry)| Ok((id.clone(), entry.check(&id, folder).with_context(|| format!("component {id:?}"))?)))
        .collect::<Result<BTreeMap<_, _>>>()?;
    let triggers =
        file.trigger.into_values().flatten().map(|entry| entry.check(&components)).collect::<Result<Vec<_>>>()?;
    let Application { name, version, .. } = file.application;
    Ok(Manifest { name, version, variables: file.variables, triggers, components })
}

/// The whole file. Every level denies unknown fields, as Spin does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    spin_manifest_version: u32,
    application: Application,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    #[serde(default)]
    trigger: BTreeMap<String, Vec<TriggerEntry>>,
    #[serde(default)]
    component: BTreeMap<String, ComponentEntry>,
}

/// `[application]`: nothing in it changes how the application runs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Application {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default, rename = "authors")]
    _authors: Vec<String>,
    #[serde(default, rename = "tool")]
    _tool: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TriggerEntry {
    #[serde(default, rename = "id")]
    _id: String,
    component: Option<toml::Value>,
    route: RouteEntry,
    executor: Option<toml::Value>,
    static_response: Option<toml::Value>,
    components: Option<toml::Value>,
    dependencies: Option<toml::Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RouteEntry {
    Pattern(String),
    Private(PrivateRoute),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PrivateRoute {
    private: bool,
}

impl TriggerEntry {
    fn check(self, components: &BTreeMap<String, Component>) -> Result<Trigger> {
        refuse(&[
            ("executor", self.executor.is_some()),
            ("static_response", self.static_response.is_some()),
            ("components", self.components.is_some()),
            ("dependencies", self.dependencies.is_some()),
        ])
        .context("[[trigger.http]]")?;
        let component = match self.component {
            Some(toml::Value::String(id)) => id,
            Some(_) => bail!("[[trigger.http]]: a component written out in the trigger is not supported by this host"),
            None => bail!("[[trigger.http]] must name its component"),
        };
        ensure!(
            components.contains_key(&component),
            "[[trigger.http]] names the component {component:?}, which is not there"
        );
        let route = match self.route {
            RouteEntry::Pattern(pattern) => Some(pattern),
            RouteEntry::Private(PrivateRoute { private: true }) => None,
            RouteEntry::Private(_) => bail!("the route of {component:?} must be a pattern or {{ private = true }}"),
        };
        Ok(Trigger { component, route })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ComponentEntry {
    source: toml::Value,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    key_value_stores: Vec<String>,
    // Read by `spin build` and by tools, never at run time.
    #[serde(rename = "build")]
    _build: Option<toml::Table>,
    #[serde(rename = "tool")]
    _tool: Option<toml::Table>,
    // What Spin supports and this host does not.
    environment: Option<toml::Value>,
    files: Option<toml::Value>,
    exclude_files: Option<toml::Value>,
    allowed_http_hosts: Option<toml::Value>,
    sqlite_databases: Option<toml::Value>,
    ai_models: Option<toml::Value>,
    targets: Option<toml::Value>,
    dependencies: Option<toml::Value>,
    dependencies_inherit_configuration: Option<toml::Value>,
    profile: Option<toml::Value>,
}

impl ComponentEntry {
    fn check(self, id: &str, folder: &Path) -> Result<Component> {
        refuse(&[
            ("environment", self.environment.is_some()),
            ("files", self.files.is_some()),
            ("exclude_files", self.exclude_files.is_some()),
            ("allowed_http_hosts", self.allowed_http_hosts.is_some()),
            ("sqlite_databases", self.sqlite_databases.is_some()),
            ("ai_models", self.ai_models.is_some()),
            ("targets", self.targets.is_some()),
            ("dependencies", self.dependencies.is_some()),
            ("dependencies_inherit_configuration", self.dependencies_inherit_configuration.is_some()),
            ("profile", self.profile.is_some()),
        ])?;
        ensure!(
            is_component_id(id),
            "a component id is kebab-case: words of letters and digits, joined by single hyphens"
        );
        let toml::Value::String(source) = self.source else {
            bail!("only a local file is supported as the source");
        };
        // Spin's CLI gives an application one store; more need a runtime config file, which this host does not read.
        if let Some(label) = self.key_value_stores.iter().find(|label| *label != crate::key_value::DEFAULT_STORE) {
            bail!("unknown key-value store {label:?}: only {:?} is there", crate::key_value::DEFAULT_STORE);
        }
        Ok(Component {
            source: folder.join(source),
            variables: self.variables,
            allowed_outbound_hosts: self.allowed_outbound_hosts,
            key_value_stores: self.key_value_stores,
        })
    }
}

/// Fails on the first field that is present.
fn refuse(fields: &[(&str, bool)]) -> Result<()> {
    match fields.iter().find(|(_, present)| *present) {
        Some((field, _)) => bail!("`{field}` is not supported by this host: run the application with Spin"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest manifest, with `extra` inside its component and `tail` after it.
    fn manifest(extra: &str, tail: &str) -> String {
        format!(
            "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/\"\ncomponent = \"a\"\n\
             [component.a]\nsource = \"a.wasm\"\n{extra}\n{tail}\n"
        )
    }

    fn refusal(text: &str) -> String {
        format!("{:#}", parse(text, Path::new("/app")).expect_err("this manifest should be refused"))
    }

    #[test]
    fn a_source_is_relative_to_the_manifests_folder() {
        let manifest = parse(&manifest("", ""), Path::new("/app")).unwrap();
        assert_eq!(manifest.components["a"].source, Path::new("/app/a.wasm"));
        assert_eq!(manifest.triggers[0].route.as_deref(), Some("/"));
    }

    #[test]
    fn build_and_tool_sections_are_ignored() {
        parse(&manifest("[component.a.build]\ncommand = \"make\"\n[component.a.tool.x]\ny = 1", ""), Path::new(""))
            .unwrap();
    }

    #[test]
    fn the_repositorys_own_manifest_is_accepted() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml");
        let manifest = load(&path).unwrap();
        assert!(manifest.triggers.iter().any(|trigger| trigger.route.is_none()), "it has a private route");
    }

    #[test]
    fn what_the_host_cannot_do_is_refused_by_name() {
        for field in [
            "files = [\"x\"]",
            "ai_models = [\"llama\"]",
            "sqlite_databases = [\"default\"]",
            "environment = { A = \"b\" }",
            "allowed_http_hosts = [\"x\"]",
            "targets = [\"spin-up:3.3\"]",
        ] {
            let name = field.split(' ').next().unwrap();
            let refusal = refusal(&manifest(field, ""));
            assert!(refusal.contains(&format!("`{name}` is not supported")), "{field}: {refusal}");
        }
    }

    #[test]
    fn unknown_fields_and_triggers_are_refused() {
        assert!(refusal(&manifest("alowed_outbound_hosts = []", "")).contains("alowed_outbound_hosts"));
        assert!(
            refusal(&manifest("", "[[trigger.redis]]\nroute = \"x\"\ncomponent = \"a\"")).contains("trigger.redis")
        );
        assert!(refusal(&manifest("", "[extra]")).contains("extra"));
    }

    #[test]
    fn a_store_that_spin_would_not_have_is_refused() {
        parse(&manifest("key_value_stores = [\"default\"]", ""), Path::new("")).unwrap();
        assert!(refusal(&manifest("key_value_stores = [\"other\"]", "")).contains("\"other\""));
    }

    #[test]
    fn a_variable_has_a_default_or_is_required() {
        parse(&manifest("", "[variables]\na = { default = \"\" }\nb = { required = true }"), Path::new("")).unwrap();
        for variable in [
            "a = {}",
            "a = { default = \"x\", required = true }",
            "A = { default = \"x\" }",
            "a__b = { default = \"\" }",
        ] {
            refusal(&manifest("", &format!("[variables]\n{variable}")));
        }
    }

    #[test]
    fn a_trigger_names_a_component_that_exists_and_a_route() {
        assert!(refusal(&manifest("", "[[trigger.http]]\nroute = \"/x\"\ncomponent = \"b\"")).contains("\"b\""));
        refusal(&manifest("", "[[trigger.http]]\nroute = { private = false }\ncomponent = \"a\""));
        refusal(&manifest("", "[[trigger.http]]\ncomponent = \"a\""));
    }
}
