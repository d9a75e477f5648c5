//! What a release is made of.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use stack::Edition;

use super::archive::{CHECKSUMS, checksums, pack};
use super::files::{self, Files};
use super::source::Source;
use super::{components, manifest, sbom};
use crate::wasm::{TARGET, Toolchain};

/// Files and folders of the repository that are in it at the same paths, so that the guides' commands and links work there.
const SHIPPED: [&str; 6] =
    ["CHANGELOG.md", "LICENSE", "infra/deploy", "infra/migrations", "infra/observability", "infra/redis"];
/// Both builds of the components.
pub const EDITIONS: [Edition; 2] = [Edition::Spin4_1, Edition::Spin4_0];
/// What it was built from and with: who builds the same from it gets the same bytes.
const BUILD: &str = "build.json";

/// A release.
pub struct Release {
    /// The application's name and version: the folder that everything is in.
    pub name: String,
    /// By their paths in that folder.
    pub files: Files,
    /// Of the compiler of the components.
    pub compiler: String,
    time: u64,
}

/// [`BUILD`].
#[derive(Serialize)]
struct Build<'a> {
    version: &'a str,
    commit: &'a str,
    compiler: &'a str,
    target: &'a str,
}

impl Release {
    /// Builds everything from a copy of the source, into the folder `target`.
    pub fn build(toolchain: &Toolchain, source: &Source, target: &Path) -> Result<Release> {
        let mut wasm = Files::new();
        for edition in EDITIONS {
            wasm.extend(components::build(toolchain, edition, source, target)?);
        }
        Release::of(toolchain, source, wasm)
    }

    /// A release with components that were built before.
    pub fn of(toolchain: &Toolchain, source: &Source, wasm: Files) -> Result<Release> {
        let compiler = toolchain.version()?;
        let (name, version) = application(&source.read(Edition::Spin4_1.manifest())?)?;
        let build = Build { version: &version, commit: &source.commit, compiler: &compiler, target: TARGET };
        let mut files = wasm;
        files.insert(BUILD.into(), (serde_json::to_string_pretty(&build)? + "\n").into_bytes());
        files.extend(files::read(&source.folder, &SHIPPED)?);
        for edition in EDITIONS {
            let text = manifest::released(&source.read(edition.manifest())?, &components::folder(edition))?;
            files.insert(edition.manifest().into(), text.into_bytes());
        }
        files.extend(sbom::write(source)?);
        files.insert(CHECKSUMS.into(), checksums(&files).into_bytes());
        Ok(Release { name: format!("{name}-{version}"), files, compiler, time: source.committed })
    }

    /// All of it in one archive.
    pub fn archive(&self) -> Result<Vec<u8>> {
        pack(&self.files, &self.name, self.time)
    }
}

/// Name and version in a manifest.
fn application(manifest: &str) -> Result<(String, String)> {
    let manifest: toml::Table = manifest.parse()?;
    let text = |name: &str| manifest.get("application")?.get(name)?.as_str().map(str::to_owned);
    text("name").zip(text("version")).context("the manifest has no name and version of the application")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_named_after_application_and_version() {
        let manifest = "[application]\nname = \"app\"\nversion = \"1.2.3\"\n";
        assert_eq!(application(manifest).expect("both"), ("app".into(), "1.2.3".into()));
        assert!(application("[application]\nname = \"app\"\n").is_err());
    }

    #[test]
    fn the_manifests_version_is_the_packages() {
        let manifest = std::fs::read_to_string(stack::repository_root().join("spin.toml")).expect("a manifest");
        assert_eq!(application(&manifest).expect("both").1, env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn files_keep_their_paths_in_the_repository() {
        let files = files::read(&stack::repository_root(), &SHIPPED).expect("they are there");
        for path in ["LICENSE", "infra/redis/users.acl", "infra/deploy/one-machine/renttracker.service"] {
            assert!(files.contains_key(path), "{path}");
        }
    }
}
