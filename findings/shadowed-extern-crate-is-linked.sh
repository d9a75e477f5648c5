#!/usr/bin/env bash
# What most would guess: where a library depends on two versions of a crate, `extern crate hex_old as hex;` in its root takes the place
#   of the newer one, which no path can name any more. The compiler agrees ("extern crate `hex` is unused"), so it is not linked.
# What really happens: as soon as a module imports by that name (`use hex::encode;`), a program that uses the library is linked with both.
#   A path without `use` does not do that, nor does another name than the dependency's (`as hexes`). Where both versions export a
#   symbol, as two versions of an SDK do, the program cannot be linked.
# Version: rustc 1.95.0, the crates hex 0.3.2 and 0.4.3 (crates registry).
# Source: The Rust Reference, "Extern crate declarations": the alias is added to the extern prelude, where it shadows the dependency.
# Who is hurt: libraries that choose between two versions of a dependency by a feature, with one name for both.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

export CARGO_TARGET_DIR="$scratch/target"
mkdir -p "$scratch/program/src" "$scratch/library/src"
cd "$scratch/library"
printf '[package]\nname = "library"\nversion = "0.1.0"\nedition = "2024"\n[dependencies]\n' > Cargo.toml
printf 'hex = "=0.4.3"\nhex-old = { package = "hex", version = "=0.3.2" }\n' >> Cargo.toml
cd "$scratch/program"
printf '[package]\nname = "program"\nversion = "0.1.0"\nedition = "2024"\n[dependencies]\nlibrary = { path = "../library" }\n' > Cargo.toml
echo 'fn main() { println!("{}", library::inner::text()); }' > src/main.rs
rustc --version
# named NAME: writes the library, which calls the older version by this name.
named() { printf 'extern crate hex_old as %s;\npub mod inner { use %s::encode; pub fn text() -> String { encode([1]) } }\n' "$1" "$1" > ../library/src/lib.rs; }
# linked: the number of versions of hex that the program is linked with.
linked() { cargo rustc --quiet -- --print link-args | tr ' "' '\n\n' | grep -o 'libhex-[0-9a-f]*\.rlib' | sort -u | wc -l; }

named hex
unused=$(cd ../library && cargo rustc --quiet -- -W unused-crate-dependencies 2>&1 | grep -c 'extern crate `hex` is unused')
expect 'under the name of the newer one, the compiler calls that unused' 1 "$unused"
expect 'versions linked under the name of the newer one' 2 "$(linked)"
named hexes
expect 'versions linked under a name of its own' 1 "$(linked)"
