//! The builds of the components, and which Spin runs which: [`spin.toml`] is for Spin 4.1, `spin-4.0.toml` for Spin 4.0.
//!
//! WASI 0.3.0 and its candidate have names of their own, so a component of the one asks in vain for the other. Spin then says which
//! interface is missing; here it is said which build to make.
//!
//! [`spin.toml`]: ../../../spin.toml

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::paths::Spin;

/// What a component's entry point is called, before the version of WASI that it speaks.
const ENTRY: &[u8] = b"wasi:http/handler@0.3.0";
/// What follows for the candidate.
const CANDIDATE: &[u8] = b"-rc-";

/// A build of the components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// WASI 0.3.0-rc-2026-03-15, which Spin 4.0 carries.
    Spin4_0,
    /// WASI 0.3.0, which Spin 4.1 is the first to carry. The embedded host carries nothing else.
    Spin4_1,
}

impl Edition {
    /// The build for a version of Spin, if there is one. Spin 4.1 takes components of the candidate too, but runs them one request an
    /// instance.
    pub fn for_spin(version: (u64, u64)) -> Option<Edition> {
        match version {
            (4, 0) => Some(Edition::Spin4_0),
            version if version >= (4, 1) => Some(Edition::Spin4_1),
            _ => None,
        }
    }

    /// The build that a component is of; `None` if it is for something else.
    pub fn of_component(bytes: &[u8]) -> Option<Edition> {
        let at = bytes.windows(ENTRY.len()).position(|window| window == ENTRY)?;
        let is_candidate = bytes[at + ENTRY.len()..].starts_with(CANDIDATE);
        Some(if is_candidate { Edition::Spin4_0 } else { Edition::Spin4_1 })
    }

    /// The manifest that names its components.
    pub fn manifest(self) -> &'static str {
        match self {
            Edition::Spin4_0 => "spin-4.0.toml",
            Edition::Spin4_1 => "spin.toml",
        }
    }

    /// The profile in `Cargo.toml`, and the folder that it is built into.
    pub fn profile(self) -> &'static str {
        match self {
            Edition::Spin4_0 => "spin-4-0",
            Edition::Spin4_1 => "release",
        }
    }

    /// The feature of every component that makes it; none is the default.
    pub fn feature(self) -> Option<&'static str> {
        match self {
            Edition::Spin4_0 => Some("spin-4-0"),
            Edition::Spin4_1 => None,
        }
    }

    /// The oldest Spin that it is for, as `cargo xtask build --spin` takes it.
    pub fn spin(self) -> &'static str {
        match self {
            Edition::Spin4_0 => "4.0",
            Edition::Spin4_1 => "4.1",
        }
    }
}

/// Passes a manifest whose components are of the build for this Spin. One that is not built yet is Spin's to complain of.
pub(crate) fn check(spin: &Spin, manifest: &Path) -> Result<()> {
    let text = std::fs::read_to_string(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let table: toml::Table = text.parse().with_context(|| format!("{} is no TOML", manifest.display()))?;
    let components = table.get("component").and_then(toml::Value::as_table).into_iter().flatten();
    for (name, component) in components {
        let Some(source) = component.get("source").and_then(toml::Value::as_str) else { continue };
        let file = manifest.parent().unwrap_or(Path::new("")).join(source);
        let built = std::fs::read(&file).ok().and_then(|bytes| Edition::of_component(&bytes));
        if let Some(built) = built.filter(|built| *built != spin.edition) {
            let (spin, wanted) = (&spin.version, spin.edition);
            bail!(
                "{name} in {} is built for Spin {}, and spin {}.{} is on PATH: `cargo xtask build --spin {}`, and serve {}",
                manifest.display(),
                built.spin(),
                spin.0,
                spin.1,
                wanted.spin(),
                wanted.manifest()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spin_has_the_build_that_it_runs_best() {
        let check = |version, expected| assert_eq!(Edition::for_spin(version), expected, "{version:?}");
        check((3, 6), None);
        check((4, 0), Some(Edition::Spin4_0));
        check((4, 1), Some(Edition::Spin4_1));
        check((5, 0), Some(Edition::Spin4_1));
    }

    #[test]
    fn a_component_is_known_by_the_wasi_of_its_entry_point() {
        let check = |bytes: &[u8], expected| assert_eq!(Edition::of_component(bytes), expected);
        check(b"\0asm wasi:http/handler@0.3.0-rc-2026-03-15#handle", Some(Edition::Spin4_0));
        check(b"\0asm wasi:http/handler@0.3.0#handle", Some(Edition::Spin4_1));
        check(b"\0asm wasi:http/handler@0.3.0", Some(Edition::Spin4_1));
        check(b"\0asm wasi:http/incoming-handler@0.2.6", None);
    }

    #[test]
    fn a_wrong_pairing_is_told_with_the_build_to_make() {
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = folder.path().join("spin.toml");
        std::fs::write(&manifest, "[component.ops]\nsource = \"ops.wasm\"\n").expect("written");
        let spin = |version| Spin {
            program: "spin".into(),
            version,
            edition: Edition::for_spin(version).expect("it has a build"),
        };
        check(&spin((4, 0)), &manifest).expect("Spin says that it is not built");
        std::fs::write(folder.path().join("ops.wasm"), "wasi:http/handler@0.3.0#handle").expect("written");
        check(&spin((4, 1)), &manifest).expect("the right build");
        let error = check(&spin((4, 0)), &manifest).expect_err("the other build").to_string();
        let expected = format!(
            "ops in {} is built for Spin 4.1, and spin 4.0 is on PATH: `cargo xtask build --spin 4.0`, and serve spin-4.0.toml",
            manifest.display()
        );
        assert_eq!(error, expected);
    }
}
