#!/usr/bin/env bash
# What most would guess: `lto = true` in the release profile optimises the whole program that goes into a cdylib, also where
#   the library is an rlib as well ("cdylib", "rlib" is what guides for WebAssembly recommend, so that tests can link it).
# What really happens: with "rlib" beside it Cargo runs no link-time optimisation for the cdylib, and says nothing. The file is
#   larger, and slower.
# Version: cargo 1.95.0, the crate uuid 1.18.1 (crates registry).
# Source: The Cargo Book, "Profiles", lto; rustc refuses `-C lto` for an rlib, so Cargo leaves the option out for both.
# Who is hurt: components, plug-ins and Python modules that are benchmarked without it and gain a unit test later.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

mkdir -p "$scratch/plugin/src"
cd "$scratch/plugin"
cat > src/lib.rs <<'RUST'
#[unsafe(no_mangle)]
pub extern "C" fn version(text: &[u8; 16]) -> usize { uuid::Uuid::from_bytes(*text).get_version_num() }
RUST
cargo --version
# built KINDS: builds the library so, and answers whether its own compilation was told to optimise across crates.
built() {
    printf '[package]\nname = "plugin"\nversion = "0.1.0"\nedition = "2024"\n[lib]\ncrate-type = [%s]\n' "$1" > Cargo.toml
    printf '[dependencies]\nuuid = { version = "=1.18.1", default-features = false }\n[profile.release]\nlto = true\n' >> Cargo.toml
    rm -rf target
    if cargo build --release --verbose 2>&1 | grep -- '--crate-name plugin' | grep -q -- '-C lto '; then echo yes; else echo no; fi
}
expect 'a cdylib is optimised across crates' yes "$(built '"cdylib"')"
grep -A 1 'name = "uuid"' Cargo.lock | tr '\n' ' '; echo
expect 'a cdylib that is an rlib too' no "$(built '"cdylib", "rlib"')"
