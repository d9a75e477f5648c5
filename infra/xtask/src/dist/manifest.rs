//! The manifests of a release: those of the repository, with components that are built.

use anyhow::{Context, Result};
use toml_edit::{DocumentMut, Item, value};

/// The manifest `text` with each component's `source` in `folder` and nothing to build. Comments stay.
pub fn released(text: &str, folder: &str) -> Result<String> {
    let mut manifest: DocumentMut = text.parse()?;
    let components = manifest.get_mut("component").and_then(Item::as_table_mut).context("no component")?;
    for (name, component) in components.iter_mut() {
        let component = component.as_table_mut().with_context(|| format!("[component.{name}] is no table"))?;
        component.remove("build");
        let source = component.get_mut("source").with_context(|| format!("[component.{name}] has no source"))?;
        *source = value(format!("{folder}/{name}.wasm"));
    }
    Ok(manifest.to_string())
}

#[cfg(test)]
mod tests {
    use stack::Edition;

    use super::*;

    const MANIFEST: &str = "# A comment.\nspin_manifest_version = 2\n\n[component.ops]\nsource = \"target/ops.wasm\"\n\
        # Why.\nkey_value_stores = [\"default\"]\n[component.ops.build]\ncommand = \"cargo build\"\n\
        [component.ops.variables]\na = \"{{ a }}\"\n";

    #[test]
    fn the_source_is_the_releases_and_there_is_nothing_to_build() {
        let expected = "# A comment.\nspin_manifest_version = 2\n\n[component.ops]\nsource = \"wasm/ops.wasm\"\n\
            # Why.\nkey_value_stores = [\"default\"]\n[component.ops.variables]\na = \"{{ a }}\"\n";
        assert_eq!(released(MANIFEST, "wasm").expect("a manifest"), expected);
    }

    #[test]
    fn all_else_of_the_repositorys_manifests_stays() {
        for edition in [Edition::Spin4_0, Edition::Spin4_1] {
            let path = stack::repository_root().join(edition.manifest());
            let text = std::fs::read_to_string(path).expect("a manifest");
            let mut expected: toml::Table = text.parse().expect("TOML");
            let components = expected["component"].as_table_mut().expect("components");
            for (name, component) in components.iter_mut() {
                let component = component.as_table_mut().expect("a table");
                component.remove("build").expect("it is built here");
                component.insert("source".into(), format!("wasm/{name}.wasm").into());
            }
            let released: toml::Table = released(&text, "wasm").expect("a manifest").parse().expect("TOML");
            assert_eq!(released, expected);
        }
    }

    #[test]
    fn a_manifest_without_components_is_refused() {
        assert!(released("spin_manifest_version = 2\n", "wasm").is_err());
        assert!(released("[component.ops]\nurl = \"x\"\n", "wasm").is_err());
    }
}
