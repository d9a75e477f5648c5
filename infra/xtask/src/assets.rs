//! `cargo xtask assets`: what components have built in of npm's packages. `served` in their `package.json` says which files.

use std::path::Path;

use anyhow::Result;

use crate::npm;

/// The components that serve pages.
const COMPONENTS: [&str; 2] = ["console", "docs"];

/// Where the packages of a component are pinned, and where its build script looks for them.
fn folders(component: &str) -> (String, String) {
    (format!("components/{component}"), format!("target/web/{component}"))
}

/// Whether everything is installed.
pub fn are_ready() -> bool {
    let root = stack::repository_root();
    COMPONENTS.into_iter().map(folders).all(|(source, installed)| npm::is_installed(&root, &source, &installed))
}

/// Installs the packages.
pub fn prepare() -> Result<()> {
    prepare_in(&stack::repository_root())
}

/// Installs the packages for a copy of the repository.
pub fn prepare_in(root: &Path) -> Result<()> {
    for component in COMPONENTS {
        let (source, installed) = folders(component);
        let reason = format!("the component {component} has files of them built in");
        npm::install_in(root, &source, &installed, &[], &reason)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_component_with_a_package_of_npm_is_prepared() {
        let folders = std::fs::read_dir(stack::repository_root().join("components")).expect("components/").flatten();
        let with_package = folders.filter(|folder| folder.path().join("package.json").is_file());
        let mut names: Vec<String> = with_package.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        assert_eq!(names, COMPONENTS);
    }
}
