#!/usr/bin/env bash
# What most would guess: cargo-cyclonedx lists for a package what `cargo tree --package` lists and `cargo build --package` builds: what it
#   depends on, with the features that it asks for.
# What really happens: features are those that all members of the workspace ask for together, their tests included. So a package's SBOM has
#   the optional dependencies that a neighbour's `[dev-dependencies]` turn on, and says that they are required.
# Version: cargo-cyclonedx 0.5.9 on cargo 1.95.0, the crate hex 0.4.3 (crates registry).
# Source: README of cargo-cyclonedx: an SBOM for each package of the workspace, of normal and build dependencies; The Cargo Book,
#   `cargo metadata`, which it reads, resolves the workspace as a whole.
# Who is hurt: those that get alarms for crates that are in no program of theirs.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

export CARGO_TARGET_DIR="$scratch/target"
cargo install --quiet --locked --debug cargo-cyclonedx --version =0.5.9 --root "$scratch/tool"
mkdir -p "$scratch/workspace/app/src" "$scratch/workspace/neighbour/src"
cd "$scratch/workspace"
touch app/src/lib.rs neighbour/src/lib.rs
printf '[workspace]\nresolver = "3"\nmembers = ["app", "neighbour"]\n' > Cargo.toml
printf '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2024"\n' | tee app/Cargo.toml | sed s/app/neighbour/ > neighbour/Cargo.toml
printf '[dependencies]\nhex = { version = "=0.4.3", default-features = false }\n' >> app/Cargo.toml
printf '[dev-dependencies]\nhex = { version = "=0.4.3", features = ["serde"] }\n' >> neighbour/Cargo.toml
cargo --version
"$scratch/tool/bin/cargo-cyclonedx" cyclonedx --version
# listed: the names of the crates in the SBOM of `app`.
listed() {
    "$scratch/tool/bin/cargo-cyclonedx" cyclonedx --quiet --format json --manifest-path app/Cargo.toml
    python3 -c 'import json; print(*sorted(c["name"] for c in json.load(open("app/app.cdx.json"))["components"]))'
}

expect 'what cargo tree lists' 'hex' "$(cargo tree --quiet --package app --edges normal,build --prefix none --format '{p}' | sed 1d | cut -d' ' -f1)"
expect 'what the SBOM lists' 'hex serde serde_core' "$(listed)"
printf '[workspace]\nresolver = "3"\nmembers = ["app"]\n' > Cargo.toml
expect 'what the SBOM lists without the neighbour' 'hex' "$(listed)"
