#!/usr/bin/env bash
# What most would guess: talc, whose guide for WebAssembly says "much faster than DLmalloc", spares instructions in a component
#   that takes and gives back small pieces of memory, as answering a request does.
# What really happens: on the WASI targets it takes twice as many as the allocator that is there (409 in place of 209 for a piece of
#   100 bytes). That is the dlmalloc of wasi-libc; only wasm32-unknown-unknown has the dlmalloc crate.
# Version: talc 5.1.1 (crates registry), Rust 1.95.0 on wasm32-wasip1, wasmtime 36.0.0 (PyPI), whose fuel counts instructions.
# Source: README_WASM.md of talc; library/std/src/sys/alloc of Rust (wasi: the C library's malloc).
# Who is hurt: those who change the allocator of a component on a platform that bills or bounds instructions, without counting.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

mkdir -p "$scratch/pieces/src"
cd "$scratch/pieces"
cat > Cargo.toml <<'TOML'
[package]
name = "pieces"
version = "0.1.0"
edition = "2024"
[lib]
crate-type = ["cdylib"]
[dependencies]
talc = { version = "=5.1.1", optional = true }
[profile.release]
lto = true
codegen-units = 1
panic = "abort"
TOML
cat > src/lib.rs <<'RUST'
#[cfg(feature = "talc")]
#[global_allocator]
static TALC: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

/// Takes a piece of so many bytes and gives it back, so many times.
#[unsafe(no_mangle)]
pub extern "C" fn pieces(bytes: usize, times: u32) {
    for _ in 0..times {
        std::hint::black_box(Vec::<u8>::with_capacity(std::hint::black_box(bytes)));
    }
}
RUST
rustup target add wasm32-wasip1 >"$scratch/target.log" 2>&1
rustc --version
python3 -m venv "$scratch/python"
"$scratch/python/bin/pip" install --quiet wasmtime==36.0.0
"$scratch/python/bin/pip" freeze
cat > "$scratch/count.py" <<'PYTHON'
import sys
from wasmtime import Config, Engine, Linker, Module, Store, WasiConfig
config = Config()
config.consume_fuel = True
engine = Engine(config)
linker = Linker(engine)
linker.define_wasi()
store = Store(engine)
store.set_wasi(WasiConfig())
store.set_fuel(10 ** 9)
exports = linker.instantiate(store, Module.from_file(engine, sys.argv[1])).exports(store)
exports["pieces"](store, 100, 100)
before = store.get_fuel()
exports["pieces"](store, 100, 1000)
print((before - store.get_fuel()) // 1000)
PYTHON
# counted FEATURES: instructions for one piece of 100 bytes, with these features.
counted() {
    cargo build --release --target wasm32-wasip1 --features "$1" >"$scratch/build.log" 2>&1 || { cat "$scratch/build.log"; exit 1; }
    "$scratch/python/bin/python" "$scratch/count.py" target/wasm32-wasip1/release/pieces.wasm
}
dlmalloc=$(counted '')
talc=$(counted talc)
echo "instructions for a piece of 100 bytes: $dlmalloc with dlmalloc, $talc with talc"
expect 'talc takes more than dlmalloc' yes "$([ "$talc" -gt "$dlmalloc" ] && echo yes || echo no)"
