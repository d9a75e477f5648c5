//! The folders of a machine that rustc would write into what it builds, for the messages of panics, and what it writes instead: a
//! component is the same byte for byte wherever it is built.

use std::path::{Path, PathBuf};

/// What separates the flags in cargo's variable for them. A path may have spaces.
const SEPARATOR: &str = "\u{1f}";
/// Cargo's variable for the flags. It goes before every other place that has some, so none of them changes a component; and cargo
/// leaves the flags below out of the names of what it builds.
pub const VARIABLE: &str = "CARGO_ENCODED_RUSTFLAGS";

/// Folders of this machine.
pub struct Folders {
    /// The source of the standard library, where it is installed.
    pub library: Vec<PathBuf>,
    /// The commit that the compiler is of. Where the library came compiled, it has its paths below this already.
    pub compiler: String,
    /// Cargo's own.
    pub cargo_home: PathBuf,
    /// The source of the components.
    pub checkout: PathBuf,
    /// Where they are built, with what build scripts write.
    pub target: PathBuf,
}

impl Folders {
    /// The value of [`VARIABLE`]: these flags, and `others` before them.
    pub fn flags(&self, others: &[String]) -> String {
        let library = self.library.iter().map(|folder| flag(folder, &format!("/rustc/{}", self.compiler)));
        // Of two that fit, the later one counts: what is built lies in the checkout, as a rule.
        let rest = [(&self.cargo_home, "/cargo"), (&self.checkout, "/source"), (&self.target, "/target")];
        let rest = rest.map(|(folder, name)| flag(folder, name));
        others.iter().cloned().chain(library).chain(rest).collect::<Vec<_>>().join(SEPARATOR)
    }
}

fn flag(folder: &Path, name: &str) -> String {
    format!("--remap-path-prefix={}={name}", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_has_a_name_and_what_is_built_in_the_checkout_its_own() {
        let folders = Folders {
            library: vec!["/toolchain/library".into()],
            compiler: "abc".into(),
            cargo_home: "/home/me/.cargo".into(),
            checkout: "/home/me/my work".into(),
            target: "/home/me/my work/target".into(),
        };
        let flags = folders.flags(&["-L".into(), "native=/lib".into()]);
        let expected = [
            "-L",
            "native=/lib",
            "--remap-path-prefix=/toolchain/library=/rustc/abc",
            "--remap-path-prefix=/home/me/.cargo=/cargo",
            "--remap-path-prefix=/home/me/my work=/source",
            "--remap-path-prefix=/home/me/my work/target=/target",
        ];
        assert_eq!(flags.split(SEPARATOR).collect::<Vec<_>>(), expected);
    }
}
