//! Reads a target's settings from its files.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Target;
use super::settings::{Declared, Manifest, Settings, Store};

/// What systemd's environment file calls a variable.
const PREFIX: &str = "SPIN_VARIABLE_";

/// Everything that the rules look at.
pub fn settings(
    target: Target,
    env: &Path,
    runtime_config: Option<&Path>,
    manifests: Option<&Path>,
) -> Result<Settings> {
    let root = stack::repository_root();
    let mut variables = variables(&text(env)?).with_context(|| format!("cannot read {}", env.display()))?;
    let mut secret_files = vec![file_mode(env)?];
    let store = runtime_config
        .map(|path| {
            let (store, has_key) = store(&text(path)?).with_context(|| format!("cannot read {}", path.display()))?;
            if has_key {
                secret_files.push(file_mode(path)?);
            }
            anyhow::Ok(store)
        })
        .transpose()?;
    let manifest = manifests
        .map(|folder| {
            let path = folder.join("app.yaml");
            let mut manifest =
                manifest(&text(&path)?, &mut variables).with_context(|| format!("cannot read {}", path.display()))?;
            let path = folder.join("postgres.yaml");
            if path.exists() {
                manifest.locale = locale(&text(&path)?).with_context(|| format!("cannot read {}", path.display()))?;
            }
            anyhow::Ok(manifest)
        })
        .transpose()?;
    let images = manifests.map(images).transpose()?.unwrap_or_default();
    let declared = declared(&text(&root.join("spin.toml"))?)?;
    let development_secret = std::fs::read_to_string(root.join(".dev/jwt_secret")).ok();
    let development_secret = development_secret.map(|text| text.trim().to_owned());
    Ok(Settings { target, variables, declared, secret_files, store, manifest, images, development_secret })
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn file_mode(path: &Path) -> Result<(String, u32)> {
    Ok((path.display().to_string(), std::fs::metadata(path)?.permissions().mode()))
}

/// `NAME=value` lines, with or without Spin's prefix.
pub fn variables(text: &str) -> Result<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            bail!("line {} is no NAME=value", number + 1);
        };
        let name = name.trim();
        let name = name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase();
        let value = value.trim();
        let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        if variables.insert(name, unquoted.to_owned()).is_some() {
            bail!("line {} sets a variable for the second time", number + 1);
        }
    }
    Ok(variables)
}

fn declared(manifest: &str) -> Result<Declared> {
    let manifest: toml::Table = manifest.parse()?;
    let table = manifest.get("variables").and_then(toml::Value::as_table).context("spin.toml has no [variables]")?;
    let with = |flag: &str| {
        let is_set = |it: &toml::Value| it.get(flag).and_then(toml::Value::as_bool) == Some(true);
        table.iter().filter(|(_, it)| is_set(it)).map(|(name, _)| name.clone()).collect()
    };
    Ok(Declared { names: table.keys().cloned().collect(), required: with("required"), secret: with("secret") })
}

/// The store that `spin.toml` grants, and whether the file holds a key to it.
fn store(text: &str) -> Result<(Store, bool)> {
    let config: toml::Table = text.parse()?;
    let store = config.get("key_value_store").and_then(|it| it.get("default"));
    let store = store.context("there is no [key_value_store.default]")?;
    let member = |name: &str| store.get(name).and_then(toml::Value::as_str).map(str::to_owned);
    let has_key = ["key", "secret_key", "url"].iter().any(|name| store.get(*name).is_some());
    let kind = member("type").context("[key_value_store.default] has no type")?;
    let consistent_read = store.get("consistent_read").and_then(toml::Value::as_bool) == Some(true);
    Ok((Store { kind, path: member("path"), consistent_read }, has_key))
}

/// Reads the SpinApp: puts the values that stand in it into `variables`. What it takes from the secret must be there.
fn manifest(text: &str, variables: &mut BTreeMap<String, String>) -> Result<Manifest> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    let app = documents.iter().find(|it| it["kind"] == "SpinApp").context("there is no SpinApp")?;
    let mut literal = BTreeSet::new();
    for variable in app["spec"]["variables"].as_array().context("the SpinApp sets no variables")? {
        let name = variable["name"].as_str().context("a variable has no name")?;
        if let Some(value) = variable["value"].as_str() {
            variables.insert(name.to_owned(), value.to_owned());
            literal.insert(name.to_owned());
        } else if let Some(key) = variable["valueFrom"]["secretKeyRef"]["key"].as_str()
            && !variables.contains_key(key)
        {
            bail!("the variable {name} comes from the secret's {key}, which the file with the secrets does not have");
        }
    }
    let image = app["spec"]["image"].as_str().context("the SpinApp has no image")?;
    Ok(Manifest { image: image.to_owned(), literal, locale: None })
}

/// The LC_CTYPE of the database that CloudNativePG makes for this cluster, whose default is C (`initdb.localeCType`).
fn locale(text: &str) -> Result<Option<String>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    let cluster = documents.iter().find(|it| it["kind"] == "Cluster");
    let initdb = cluster.and_then(|it| it["spec"]["bootstrap"]["initdb"].as_object());
    Ok(initdb.map(|it| it.get("localeCType").and_then(Value::as_str).unwrap_or("C").to_owned()))
}

/// What the manifests of a folder have run, each image with the name of its file.
fn images(folder: &Path) -> Result<Vec<(String, String)>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<_> = entries.map(|entry| entry.map(|it| it.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|it| it == "yaml" || it == "yml"));
    files.sort();
    let mut found = Vec::new();
    for path in files {
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&text(&path)?).with_context(|| format!("cannot read {}", path.display()))?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut named = Vec::new();
        documents.iter().for_each(|it| images_in(it, &mut named));
        found.extend(named.into_iter().map(|image| (file.clone(), image)));
    }
    Ok(found)
}

/// The members that name an image: a container's, CloudNativePG's and spin-operator's.
const IMAGE_MEMBERS: [&str; 3] = ["image", "imageName", "spinImage"];

/// What [`IMAGE_MEMBERS`] name, however deep.
fn images_in(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str().filter(|_| IMAGE_MEMBERS.contains(&name.as_str())) {
                    Some(image) => found.push(image.to_owned()),
                    None => images_in(member, found),
                }
            }
        }
        Value::Array(members) => members.iter().for_each(|it| images_in(it, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::rules::findings;

    #[test]
    fn variables_are_read_as_systemd_and_kubectl_read_them() {
        let text = "# comment\n\nSPIN_VARIABLE_REDIS_URL=redis://x?a=b\njwt_secret=\"a b\"\n";
        let read = variables(text).expect("it is well-formed");
        assert_eq!(read["redis_url"], "redis://x?a=b");
        assert_eq!(read["jwt_secret"], "a b");
        assert!(variables("nonsense").is_err());
        assert!(variables("a=1\nSPIN_VARIABLE_A=2").is_err());
    }

    #[test]
    fn values_of_the_manifest_and_of_the_secret_come_together() {
        let app = "kind: SpinApp\nspec:\n  image: r/i:1\n  variables:\n    - name: a\n      value: \"1\"\n    - name: b\n      \
                   valueFrom:\n        secretKeyRef: { name: s, key: b }\n";
        let mut known = BTreeMap::from([("b".to_owned(), "2".to_owned())]);
        let read = manifest(app, &mut known).expect("it is well-formed");
        assert_eq!((read.image.as_str(), read.literal), ("r/i:1", BTreeSet::from(["a".to_owned()])));
        assert_eq!(known, BTreeMap::from([("a".into(), "1".into()), ("b".into(), "2".into())]));
        assert!(manifest(app, &mut BTreeMap::new()).is_err(), "a secret is missing");
    }

    #[test]
    fn the_locale_of_a_database_that_is_made_is_c_where_nothing_is_said() {
        let cluster = "kind: Cluster\nspec:\n  bootstrap:\n    initdb:\n      database: d\n";
        assert_eq!(locale(cluster).expect("well-formed").as_deref(), Some("C"));
        let said = format!("{cluster}      localeCType: C.UTF-8\n");
        assert_eq!(locale(&said).expect("well-formed").as_deref(), Some("C.UTF-8"));
        assert_eq!(locale("kind: Other\n").expect("well-formed"), None);
    }

    /// The examples, with their placeholders filled in, must pass: who follows the guide is not refused.
    #[test]
    fn the_examples_of_infra_deploy_are_safe_once_they_are_filled_in() {
        let folder = stack::repository_root().join("infra/deploy");
        for (target, example, runtime_config, manifests) in [
            (Target::OneMachine, "one-machine/renttracker.env.example", Some("one-machine/runtime-config.toml"), None),
            (
                Target::Kubernetes,
                "kubernetes/secrets.env.example",
                Some("kubernetes/runtime-config.toml"),
                Some("kubernetes"),
            ),
            (Target::Akamai, "akamai/variables.env.example", None, None),
        ] {
            let scratch = tempfile::NamedTempFile::new().expect("a file");
            let example = std::fs::read_to_string(folder.join(example)).expect("an example");
            std::fs::write(scratch.path(), filled_in(&example)).expect("a file");
            let runtime_config = runtime_config.map(|path| folder.join(path));
            let manifests = manifests.map(|path| folder.join(path));
            let read = settings(target, scratch.path(), runtime_config.as_deref(), manifests.as_deref());
            let mut read = read.unwrap_or_else(|error| panic!("{target:?}: {error:#}"));
            // What everybody has to change: the registry, and the digests, which are looked up before a deployment.
            if let Some(manifest) = &mut read.manifest {
                manifest.image = manifest.image.replace("registry.example", "registry.corp");
            }
            for (_, image) in &mut read.images {
                image.push_str("@sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
            }
            assert_eq!(findings(&read), Vec::new(), "{target:?}");
        }
    }

    #[test]
    fn every_image_of_a_folder_is_found_with_its_file() {
        let folder = stack::repository_root().join("infra/deploy/kubernetes");
        let found = images(&folder).expect("they are well-formed");
        let of = |file: &str| found.iter().filter(|(it, _)| it == file).count();
        for file in ["app.yaml", "executor.yaml", "redis.yaml", "postgres.yaml"] {
            assert_eq!(of(file), 1, "{file}: {found:?}");
        }
    }

    #[test]
    fn the_examples_as_they_are_are_refused() {
        let example = stack::repository_root().join("infra/deploy/one-machine/renttracker.env.example");
        let read = settings(Target::OneMachine, &example, None, None).expect("it is well-formed");
        let found = findings(&read);
        assert!(found.iter().any(|it| it.problem.contains("placeholder")), "{found:#?}");
        assert!(found.iter().any(|it| it.problem.contains("read by others")), "{found:#?}");
    }

    fn filled_in(example: &str) -> String {
        let line = |line: &str| {
            let Some((before, rest)) = line.split_once('<').filter(|_| !line.starts_with('#')) else {
                return line.to_owned();
            };
            let (_, after) = rest.split_once('>').expect("a closed placeholder");
            let is_key = line.to_ascii_lowercase().contains("seal_key");
            let value = if is_key {
                "u3Yx0m1Zk8wq4S7cVtB2nL5pR9eH6jD0aFgTiKoQyXE="
            } else {
                "Jm2vX8qT5wZ1nR7cK4hP9sL3dF6gB0yA"
            };
            format!("{before}{value}{after}")
        };
        example.lines().map(line).collect::<Vec<_>>().join("\n")
    }
}
