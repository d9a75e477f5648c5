//! Each build of the components asks for what its Spin offers: `spin.toml` for Spin 4.1, `spin-4.0.toml` for Spin 4.0.

use std::collections::BTreeSet;
use std::path::PathBuf;

use stack::Edition;

use crate::platform::components::{differences, imports, root, worlds};
use crate::support::trials;

trials![
    each_build_imports_what_the_worlds_say,
    each_build_is_of_the_spin_that_its_manifest_is_for,
    each_spin_offers_what_its_build_imports,
    spin_4_0_does_not_offer_what_the_other_build_imports,
];

/// The version of WASI in a name of an interface.
const CANDIDATE: &str = "@0.3.0-rc-2026-03-15";
const EDITIONS: [Edition; 2] = [Edition::Spin4_0, Edition::Spin4_1];

/// The interfaces of WASI 0.3, the same in the candidate and in 0.3.0. From the worlds `wasi:cli/imports` and `wasi:http/client` in
/// `wit/deps` of spinframework/spin, tag v4.0.2, with what those use.
const WASI_0_3: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/types",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/system-clock",
    "wasi:clocks/types",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/client",
    "wasi:http/types",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/types",
];

/// What both offer beside WASI: the world `platform` in `wit/world.wit` of spinframework/spin, tag v4.0.2 and, alike, 94a8fc8a
/// (4.1.0-pre0). Left out is `fermyon:spin@2.0.0`, which no SDK of ours speaks.
const SPIN: &[&str] = &[
    "spin:key-value/key-value@3.0.0",
    "spin:mqtt/mqtt@3.0.0",
    "spin:mysql/mysql@3.0.0",
    "spin:postgres/postgres@3.0.0",
    "spin:postgres/postgres@4.2.0",
    "spin:redis/redis@3.0.0",
    "spin:sqlite/sqlite@3.1.0",
    "spin:variables/variables@3.0.0",
    "wasi:config/store@0.2.0-draft-2024-09-27",
    "wasi:keyvalue/atomics@0.2.0-draft2",
    "wasi:keyvalue/batch@0.2.0-draft2",
    "wasi:keyvalue/store@0.2.0-draft2",
];

/// The versions of WASI 0.3 that a Spin offers, by the same world.
fn wasi_versions(edition: Edition) -> &'static [&'static str] {
    match edition {
        Edition::Spin4_0 => &["0.3.0-rc-2026-03-15"],
        Edition::Spin4_1 => &["0.3.0-rc-2026-03-15", "0.3.0"],
    }
}

fn is_offered(edition: Edition, import: &str) -> bool {
    let of_wasi = import
        .split_once('@')
        .is_some_and(|(name, version)| WASI_0_3.contains(&name) && wasi_versions(edition).contains(&version));
    of_wasi || SPIN.contains(&import)
}

/// The components of a build: their names and files.
fn components(edition: Edition) -> Vec<(String, PathBuf)> {
    let text = crate::platform::components::read(edition.manifest());
    let manifest: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", edition.manifest()));
    let components = manifest["component"].as_table().expect("components");
    let file = |component: &toml::Value| root().join(component["source"].as_str().expect("a source"));
    components.iter().map(|(name, component)| (name.clone(), file(component))).collect()
}

fn read(edition: Edition, file: &PathBuf) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo xtask build --spin {}` builds it", file.display(), edition.spin())
    })
}

/// What the build imports that this Spin does not offer, each with the component.
fn missing(build: Edition, spin: Edition) -> Vec<String> {
    let mut missing = Vec::new();
    for (name, file) in components(build) {
        let imports: BTreeSet<String> = imports(&read(build, &file));
        // A page imports the types of HTTP and nothing else.
        assert!(!imports.is_empty(), "nothing was read of {name}");
        missing.extend(imports.iter().filter(|it| !is_offered(spin, it)).map(|it| format!("{name} imports {it}")));
    }
    missing
}

fn each_build_imports_what_the_worlds_say() {
    let worlds = worlds();
    for edition in EDITIONS {
        for (name, file) in components(edition) {
            // The worlds are the same for Spin 4.0, with the candidate in place of WASI 0.3.0.
            let imports = imports(&read(edition, &file)).iter().map(|it| it.replace(CANDIDATE, "@0.3.0")).collect();
            let differences = differences(&worlds, &name, &imports);
            assert!(differences.is_empty(), "for Spin {}: {differences:#?}", edition.spin());
        }
    }
}

fn each_build_is_of_the_spin_that_its_manifest_is_for() {
    for edition in EDITIONS {
        for (name, file) in components(edition) {
            assert_eq!(Edition::of_component(&read(edition, &file)), Some(edition), "{name}");
        }
    }
}

fn each_spin_offers_what_its_build_imports() {
    for edition in EDITIONS {
        let missing = missing(edition, edition);
        assert!(missing.is_empty(), "Spin {} has not what {missing:#?}", edition.spin());
    }
}

/// Else the lists would say nothing.
fn spin_4_0_does_not_offer_what_the_other_build_imports() {
    let missing = missing(Edition::Spin4_1, Edition::Spin4_0);
    assert!(missing.iter().all(|it| it.ends_with("@0.3.0")) && missing.len() > 5, "{missing:#?}");
}
