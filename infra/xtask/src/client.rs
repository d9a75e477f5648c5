//! `cargo xtask client`: a package for TypeScript that speaks the API, made from its document and of what is in `infra/client`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::npm;
use crate::shell::{output, run, say};

/// What is written by hand.
const SOURCE: &str = "infra/client";
/// Where the package is made. Nothing of it is committed.
const BUILT: &str = "target/client";
/// The document that it is made from.
pub const DOCUMENT: &str = "components/ops/openapi.json";
/// The compiler, below an installed package.
pub const COMPILER: &str = "node_modules/typescript/bin/tsc";

/// A package as it would be published.
pub struct Package {
    /// Where it was made.
    folder: PathBuf,
    /// The file to install.
    tarball: PathBuf,
}

/// Makes the package, from nothing that an earlier document left.
pub fn build() -> Result<Package> {
    let root = stack::repository_root();
    let scripts = ["generate.mjs", "tsconfig.json", "README.md"];
    let folder = npm::install(SOURCE, BUILT, &scripts, "the TypeScript client is made with them")?;
    remove(&folder.join("dist"))?;
    copy_anew(&root.join(SOURCE).join("src"), &folder.join("src"))?;
    std::fs::copy(root.join("LICENSE"), folder.join("LICENSE")).context("cannot copy LICENSE")?;
    run(npm::script(&folder, "generate.mjs")?.arg(root.join(DOCUMENT)))?;
    run(&mut npm::script(&folder, COMPILER)?)?;
    let name = output(npm::npm()?.args(["pack", "--silent"]).current_dir(&folder))?;
    let tarball = folder.join(name);
    say(format!("the client is {}", tarball.display()));
    Ok(Package { folder, tarball })
}

impl Package {
    /// Compiles and runs the package's tests, on the packed package, against the API that `environment` names.
    pub fn test(&self, environment: &[(&str, String)]) -> Result<()> {
        let tests = self.folder.join("test");
        copy_anew(&stack::repository_root().join(SOURCE).join("test"), &tests)?;
        let installed = tests.join("node_modules/renttracker-client");
        std::fs::create_dir_all(&installed)?;
        // What it depends on is found in the folder above.
        let mut unpack = Command::new("tar");
        run(unpack.args(["--strip-components=1", "-xzf"]).arg(&self.tarball).arg("-C").arg(&installed))?;
        std::fs::write(tests.join("readme.ts"), example(&std::fs::read_to_string(self.folder.join("README.md"))?)?)?;
        run(npm::script(&self.folder, COMPILER)?.args(["--project", "test"]))?;
        let mut command = Command::new(npm::node()?);
        command.args(["--test", "test/*.test.ts"]).envs(environment.iter().cloned()).current_dir(&self.folder);
        run(&mut command)
    }
}

/// The example of a `README.md`, with what it takes for given.
fn example(readme: &str) -> Result<String> {
    let (_, rest) = readme.split_once("```ts\n").context("README.md has no example")?;
    let (example, _) = rest.split_once("```").context("the example of README.md has no end")?;
    Ok(format!("declare const session: {{ token: string }};\ndeclare const input: {{ value: string }};\n{example}"))
}

/// Copies the files of a folder into an empty one.
fn copy_anew(from: &Path, to: &Path) -> Result<()> {
    remove(to)?;
    std::fs::create_dir_all(to)?;
    for file in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let file = file?;
        std::fs::copy(file.path(), to.join(file.file_name()))
            .with_context(|| format!("cannot copy {}", file.path().display()))?;
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_a_readme_is_its_first_block_of_typescript() {
        let text = example("words\n```ts\nlet x;\n```\n```ts\nlet y;\n```\n").expect("an example");
        assert!(text.ends_with("};\nlet x;\n"), "{text}");
        assert!(example("words").is_err());
    }

    #[test]
    fn the_package_has_the_version_of_the_api() {
        for file in ["package.json", "package-lock.json"] {
            let text = std::fs::read_to_string(stack::repository_root().join(SOURCE).join(file)).expect(file);
            let package: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(package["version"], env!("CARGO_PKG_VERSION"), "{file}");
        }
    }
}
