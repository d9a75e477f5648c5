//! The build and the manifest hold together: what is there is declared, and what is declared is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use wasmparser::Payload;
use wit_parser::{Resolve, UnresolvedPackageGroup, WorldItem};

use crate::support::trials;

trials![
    every_component_folder_is_in_the_manifest,
    every_component_of_the_manifest_has_a_folder,
    every_component_has_a_route,
    a_component_is_a_cdylib_and_nothing_else,
    every_component_has_a_world,
    only_the_platform_crate_depends_on_the_sdk,
    every_crate_inherits_the_lints,
    no_component_may_panic_on_input,
    every_test_that_security_md_names_exists,
    every_built_component_imports_what_its_world_says,
    a_component_of_the_api_begins_with_less_memory_than_the_linkers_own_stack,
];

/// The libraries of the components. Each imports only those before it.
const LIBRARIES: [&str; 4] = ["cache", "rental", "platform", "write-handlers"];

/// The repository.
pub fn root() -> PathBuf {
    stack::repository_root()
}

/// A file of the repository.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `spin.toml`
pub fn manifest() -> toml::Table {
    read("spin.toml").parse().expect("spin.toml is TOML")
}

/// The names in `[component.NAME]`.
fn declared() -> BTreeSet<String> {
    manifest()["component"].as_table().expect("components").keys().cloned().collect()
}

/// The folders below `components/` apart from the library.
fn folders() -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join("components")).expect("components/");
    let names = entries.flatten().filter(|entry| entry.path().is_dir());
    names.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| name != "shared").collect()
}

fn every_component_folder_is_in_the_manifest() {
    let undeclared: Vec<String> = folders().difference(&declared()).cloned().collect();
    assert!(undeclared.is_empty(), "not in spin.toml: {undeclared:?}");
}

fn every_component_of_the_manifest_has_a_folder() {
    let missing: Vec<String> = declared().difference(&folders()).cloned().collect();
    assert!(missing.is_empty(), "no folder in components/: {missing:?}");
    for name in declared() {
        let source = manifest()["component"][name.as_str()]["source"].as_str().expect("a source").to_owned();
        assert_eq!(source, format!("target/wasm32-wasip2/release/{}.wasm", name.replace('-', "_")));
    }
}

/// Cargo runs no link-time optimisation for a library that is an rlib as well, and does not say so.
fn a_component_is_a_cdylib_and_nothing_else() {
    for name in folders() {
        let table: toml::Table = read(format!("components/{name}/Cargo.toml")).parse().expect("a manifest");
        let kinds = table["lib"]["crate-type"].as_array().expect("a list");
        assert_eq!(kinds.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>(), ["cdylib"], "{name}");
    }
}

fn every_component_has_a_route() {
    let manifest = manifest();
    let triggers = manifest["trigger"]["http"].as_array().expect("routes");
    let routed: BTreeSet<String> =
        triggers.iter().filter_map(|trigger| trigger["component"].as_str()).map(str::to_owned).collect();
    assert_eq!(routed, declared());
}

fn every_component_has_a_world() {
    let files = std::fs::read_dir(root().join("wit")).expect("wit/").flatten();
    let worlds: BTreeSet<String> =
        files.filter_map(|entry| entry.file_name().to_string_lossy().strip_suffix(".wit").map(str::to_owned)).collect();
    let missing: Vec<String> = declared().difference(&worlds).cloned().collect();
    assert!(missing.is_empty(), "no world in wit/ for {missing:?}");
}

/// Everything else is pure, or does what the platform crate offers.
fn only_the_platform_crate_depends_on_the_sdk() {
    let dependencies = |folder: &str| -> toml::Table {
        let manifest: toml::Table = read(format!("components/{folder}/Cargo.toml")).parse().expect("a manifest");
        assert!(manifest.get("target").is_none(), "{folder} depends on something for one target alone");
        manifest["dependencies"].as_table().expect("dependencies").clone()
    };
    for folder in folders().into_iter().chain(LIBRARIES.map(|name| format!("shared/{name}"))) {
        let of_the_platform =
            ["spin-sdk", "spin-sdk-4-0", "wit-bindgen", "wasip3"].map(|name| dependencies(&folder).contains_key(name));
        assert_eq!(of_the_platform.contains(&true), folder == "shared/platform", "{folder}");
    }
    for (at, library) in LIBRARIES.iter().enumerate() {
        let above = &LIBRARIES[at + 1..];
        let dependencies = dependencies(&format!("shared/{library}"));
        assert!(!above.iter().any(|above| dependencies.contains_key(*above)), "{library} imports one of {above:?}");
    }
}

/// All files of Rust below a folder.
pub fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What cargo knows of the workspace and its dependencies.
fn metadata() -> Value {
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    cargo.args(["metadata", "--format-version", "1", "--offline"]).current_dir(root());
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo's metadata")
}

fn every_crate_inherits_the_lints() {
    let metadata = metadata();
    let members = metadata["workspace_members"].as_array().expect("members");
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: Vec<&Value> = packages.iter().filter(|package| members.contains(&package["id"])).collect();
    assert!(ours.len() > 5);
    for package in ours {
        let path = package["manifest_path"].as_str().expect("a path");
        let table: toml::Table = read(path).parse().expect("a manifest");
        let inherits = table.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
        assert_eq!(inherits, Some(true), "{path}: [lints] workspace = true");
    }
}

fn no_component_may_panic_on_input() {
    let lints = ["unwrap_used", "expect_used", "panic", "unreachable", "indexing_slicing", "string_slice"]
        .map(|lint| format!("clippy::{lint}"));
    for name in folders().into_iter().chain(LIBRARIES.map(|name| format!("shared/{name}"))) {
        let source = read(format!("components/{name}/src/lib.rs"));
        let denied: String = source.lines().filter(|line| line.starts_with("#![deny(")).collect();
        let missing: Vec<&String> = lints.iter().filter(|lint| !denied.contains(*lint)).collect();
        assert!(missing.is_empty(), "components/{name} does not deny {missing:?}");
    }
}

/// `suite::test`, or `suite::` for a whole suite.
fn every_test_that_security_md_names_exists() {
    let text = read("SECURITY.md");
    let quoted = text.split('`').skip(1).step_by(2);
    let named: Vec<(&str, &str)> = quoted.filter_map(|quoted| quoted.split_once("::")).collect();
    assert!(named.len() > 20, "{named:?}");
    let mut sources = Vec::new();
    rust_files(&root().join("tests"), &mut sources);
    for (suite, test) in named.into_iter().filter(|named| *named != ("suite", "test") && named.0 != "Answer") {
        let ends = [format!("/{suite}.rs"), format!("/{suite}/main.rs")];
        let file = sources.iter().find(|file| ends.iter().any(|end| file.to_string_lossy().ends_with(end)));
        let source = read(file.unwrap_or_else(|| panic!("SECURITY.md names the suite {suite}, which there is not")));
        assert!(test.is_empty() || source.contains(&format!("fn {test}()")), "SECURITY.md names {suite}::{test}");
    }
}

/// The worlds in `wit/`, resolved against the WIT that the pinned SDK was made from.
pub fn worlds() -> Resolve {
    let metadata = metadata();
    let sdk = metadata["packages"].as_array().into_iter().flatten().find(|package| package["name"] == "spin-sdk");
    let sdk = sdk.and_then(|package| package["manifest_path"].as_str()).expect("spin-sdk among the dependencies");
    let wit = Path::new(sdk).with_file_name("wit");
    let mut resolve = Resolve::default();
    resolve.push_dir(&wit).unwrap_or_else(|error| panic!("the SDK's WIT: {error:?}"));
    let ours = UnresolvedPackageGroup::parse_dir(root().join("wit")).unwrap_or_else(|error| panic!("wit/: {error:?}"));
    resolve.push_group(ours).unwrap_or_else(|error| panic!("wit/: {error:?}"));
    resolve
}

/// What Rust's standard library imports for itself, in a version of WASI 0.2 that the toolchain chooses. No files and no
/// sockets are among it: a component that imports those has grown a dependency that it should not have.
const STANDARD_LIBRARY: [&str; 17] = [
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
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

fn of_the_standard_library(import: &str) -> bool {
    import
        .split_once('@')
        .is_some_and(|(name, version)| version.starts_with("0.2.") && STANDARD_LIBRARY.contains(&name))
}

/// What a built component asks its host for, as it stands in the file, apart from what the standard library imports.
pub fn imports(component: &[u8]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut depth = 0;
    for payload in wasmparser::Parser::new(0).parse_all(component) {
        match payload.expect("a well-formed component") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(imports) if depth == 0 => {
                names.extend(imports.into_iter().map(|import| import.expect("an import").name.0.to_owned()));
            }
            _ => {}
        }
    }
    names.retain(|import| !of_the_standard_library(import));
    names
}

fn built(name: &str) -> Vec<u8> {
    let file = root().join(format!("target/wasm32-wasip2/release/{}.wasm", name.replace('-', "_")));
    std::fs::read(&file).unwrap_or_else(|error| panic!("{} is not built: {error}", file.display()))
}

fn every_built_component_imports_what_its_world_says() {
    let worlds = worlds();
    for name in declared() {
        let differences = differences(&worlds, &name, &imports(&built(&name)));
        assert!(differences.is_empty(), "{differences:#?}");
    }
}

/// Where what a component imports departs from its world.
pub fn differences(worlds: &Resolve, name: &str, built: &BTreeSet<String>) -> Vec<String> {
    let (world, _) = worlds
        .worlds
        .iter()
        .find(|(_, world)| world.name == name)
        .unwrap_or_else(|| panic!("wit/ has no world {name}"));
    let said = &worlds.worlds[world].imports;
    let names: BTreeSet<String> = said.keys().map(|key| worlds.name_world_key(key)).collect();
    let lacking = built.difference(&names).map(|import| format!("{name} imports {import}, which its world lacks"));
    let mut differences: Vec<String> = lacking.collect();
    for (key, item) in said {
        // An interface of types alone is there for the others' sake, and the compiler leaves it out where it can.
        let types_alone =
            matches!(item, WorldItem::Interface { id, .. } if worlds.interfaces[*id].functions.is_empty());
        let import = worlds.name_world_key(key);
        if !types_alone && !built.contains(&import) {
            differences.push(format!("{name} does not import {import}"));
        }
    }
    differences
}

/// What the linker makes the stack unless `components/stack.rs` says otherwise.
const LINKERS_STACK_BYTES: u64 = 1 << 20;
/// Pages, which an operator asks for now and then.
const PAGES: [&str; 2] = ["console", "docs"];

fn a_component_of_the_api_begins_with_less_memory_than_the_linkers_own_stack() {
    for name in declared().into_iter().filter(|name| !PAGES.contains(&name.as_str())) {
        let file = built(&name);
        let memories = wasmparser::Parser::new(0).parse_all(&file).filter_map(|payload| match payload {
            Ok(Payload::MemorySection(section)) => Some(section),
            _ => None,
        });
        let bytes: Vec<u64> = memories.flatten().flatten().map(|memory| memory.initial << 16).collect();
        assert!(!bytes.is_empty() && bytes.iter().all(|bytes| *bytes < LINKERS_STACK_BYTES), "{name}: {bytes:?}");
    }
}
