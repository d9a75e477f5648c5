//! Finds the WIT inside the pinned `spin-sdk` crate and writes the `bindgen!` call that reads it.
//!
//! The components are built against that very WIT, so the host cannot drift from them, and no copy of it is committed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The crate whose `wit` folder the bindings are generated from, and the version that the workspace pins.
const SDK: (&str, &str) = ("spin-sdk", "7.0.0");

fn main() {
    let wit = sdk_wit();
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", wit.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("bindings.rs"), bindings(&wit)).expect("OUT_DIR can be written");
}

/// Asks cargo where it unpacked the SDK: only cargo knows, and it has it because Cargo.toml names it.
fn sdk_wit() -> PathBuf {
    let cargo = env::var_os("CARGO").expect("cargo sets CARGO");
    let manifest =
        Path::new(&env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("cargo metadata can be started");
    assert!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    let sdk = packages
        .iter()
        .find(|package| package["name"] == SDK.0 && package["version"] == SDK.1)
        .unwrap_or_else(|| panic!("{} {} is not among the workspace's packages", SDK.0, SDK.1));
    let manifest = sdk["manifest_path"].as_str().expect("a package has a manifest path");
    Path::new(manifest).with_file_name("wit")
}

/// The interfaces that the host implements itself; WASI proper comes from the wasmtime-wasi crates.
///
/// Host functions do not trap, except where the WIT leaves no way to say that something failed. They are traced, as those
/// of the wasmtime-wasi crates are, for `--meter` to count.
fn bindings(wit: &Path) -> String {
    format!(
        r##"wasmtime::component::bindgen!({{
    inline: r#"
    package edge:host;
    world host {{
        import spin:key-value/key-value@3.0.0;
        import spin:postgres/postgres@4.2.0;
        import spin:redis/redis@3.0.0;
        import spin:variables/variables@3.0.0;
        import wasi:config/store@0.2.0-draft-2024-09-27;
        import wasi:keyvalue/store@0.2.0-draft2;
        import wasi:keyvalue/atomics@0.2.0-draft2;
        import wasi:keyvalue/batch@0.2.0-draft2;
    }}
    "#,
    world: "edge:host/host",
    path: {wit:?},
    imports: {{
        "spin:key-value/key-value@3.0.0.[method]store.get-keys": async | trappable | tracing,
        "spin:postgres/postgres@4.2.0.[constructor]connection-builder": async | trappable | tracing,
        default: async | tracing,
    }},
}});
"##,
        wit = wit.display().to_string()
    )
}
