//! `cargo xtask dist`: a release in one archive, the same byte for byte wherever it is built.

mod archive;
mod compare;
mod components;
mod files;
mod manifest;
mod npm_packages;
mod rehearsal;
mod release;
mod sbom;
mod source;
mod tools;
pub mod workflows;

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;

use crate::report::Report;
use crate::shell::{output, say};
use crate::wasm::Toolchain;
use files::Files;
use release::Release;
use source::{Source, Tree};

pub use rehearsal::rehearse;

/// Where releases are, below the repository. Beside them are the copy of the source, and what is built of it.
const FOLDER: &str = "target/dist";

#[derive(Args)]
pub struct Dist {
    /// Build it once more, from nothing and in another folder, and compare both byte for byte
    #[arg(long)]
    verify: bool,
}

/// A release that was built.
#[derive(Serialize)]
pub struct Built {
    /// Below the repository.
    archive: String,
    sha256: String,
    files: usize,
    commit: String,
    compiler: String,
    /// Whether a second build was the same; null if there was none.
    verified: Option<bool>,
}

impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Built { archive, sha256, files, commit, compiler, verified } = self;
        write!(f, "{archive}: {files} files of commit {commit} by {compiler}\nSHA-256 {sha256}")?;
        match verified {
            Some(true) => write!(f, "\na second build, from nothing and in another folder, is the same"),
            _ => Ok(()),
        }
    }
}

impl Report for Built {}

impl Dist {
    /// Builds the commit that is checked out.
    pub fn run(self) -> Result<Built> {
        let root = stack::repository_root();
        if !output(Command::new("git").args(["status", "--porcelain"]).current_dir(&root))?.is_empty() {
            say("the release has what is committed alone; there are changes in the checkout that are not");
        }
        let toolchain = Toolchain::ready()?;
        let folder = root.join(FOLDER);
        let source = copy(Tree::Head, &folder)?;
        let release = Release::build(&toolchain, &source, &folder.join("build"))?;
        if self.verify {
            let elsewhere = tempfile::tempdir()?;
            let source = Source::copy(&root, Tree::Head, elsewhere.path().join("source"))?;
            let second = Release::build(&toolchain, &source, &elsewhere.path().join("build"))?;
            must_be_same(&release.files, &second.files)?;
        }
        let archive = release.archive()?;
        let path = format!("{FOLDER}/{}.tar.gz", release.name);
        std::fs::write(root.join(&path), &archive).with_context(|| format!("cannot write {path}"))?;
        Ok(Built {
            archive: path,
            sha256: archive::sha256(&archive),
            files: release.files.len(),
            commit: source.commit,
            compiler: release.compiler,
            verified: self.verify.then_some(true),
        })
    }
}

/// Copies the source to where each release of this repository is built.
fn copy(tree: Tree, folder: &Path) -> Result<Source> {
    let copy = folder.join("source");
    if copy.exists() {
        std::fs::remove_dir_all(&copy).with_context(|| format!("cannot remove {}", copy.display()))?;
    }
    Source::copy(&stack::repository_root(), tree, copy)
}

fn must_be_same(first: &Files, second: &Files) -> Result<()> {
    match compare::first_difference(first, second) {
        None => Ok(()),
        Some(difference) => bail!("two builds of one source are not the same: {difference}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report;

    #[test]
    fn a_release_is_reported_with_what_it_was_built_of() {
        let built = Built {
            archive: "target/dist/app-1.0.0.tar.gz".into(),
            sha256: "00".into(),
            files: 7,
            commit: "abc".into(),
            compiler: "rustc 1".into(),
            verified: None,
        };
        let expected = json!({
            "archive": "target/dist/app-1.0.0.tar.gz", "sha256": "00", "files": 7, "commit": "abc", "compiler": "rustc 1",
            "verified": null,
        });
        report::tests::check("dist", &built, expected);
        assert!(!built.to_string().contains("second"));
        assert!(Built { verified: Some(true), ..built }.to_string().contains("second build"));
    }
}
