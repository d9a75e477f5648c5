#!/usr/bin/env bash
# What most would guess: the text of an error of the redis crate holds the code as the server wrote it, since that is
#   what code() gives and what logs are searched for.
# What really happens: the codes that the crate knows have names of its own in Display and Debug: READONLY is ReadOnly,
#   LOADING is BusyLoadingError. 1.8 changes that again: BusyLoading, NoPerm for NOPERM, NoScript for NoScriptError;
#   the codes that it does not know have quotation marks, and the words before them are gone. code() is the same.
# Version: redis 0.32.7 and 1.8.1 (crates.io), with cargo of Rust 1.95.
# Source: Display of RedisError (types.rs in 0.32, errors/redis_error.rs in 1.8) and of ServerError.
# Who is hurt: those that have the text alone: behind a host that hands an error on as text, and in alerts on logs. A
#   search for READONLY or LOADING finds nothing, and one for NOPERM finds it in the old version alone.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

cd "$scratch"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "spelling"
version = "0.0.0"
edition = "2021"
[dependencies]
old = { package = "redis", version = "=0.32.7", default-features = false }
new = { package = "redis", version = "=1.8.1", default-features = false }
TOML
cat >src/main.rs <<'RUST'
/// What each version makes of the error that begins with the code that is given: its text, and `code()`.
macro_rules! tell {
    ($version:ident, $line:expr) => {{
        let reply = $version::parse_redis_value($line.as_bytes()).and_then(|value| value.extract_error());
        let error = reply.expect_err("an error");
        println!("{error} ({})", error.code().unwrap_or_default());
    }};
}

fn main() {
    for code in std::env::args().skip(1) {
        let line = format!("-{code} it says why\r\n");
        tell!(old, line);
        tell!(new, line);
    }
}
RUST
cargo build --quiet --jobs 1 --target-dir target
cargo tree --quiet --depth 1 --prefix none | grep '^redis'
# told CODE
told() { target/debug/spelling "$1"; }
expect READONLY 'An error was signalled by the server - ReadOnly: it says why (READONLY)
ReadOnly: it says why (READONLY)' "$(told READONLY)"
expect LOADING 'An error was signalled by the server - BusyLoadingError: it says why (LOADING)
BusyLoading: it says why (LOADING)' "$(told LOADING)"
expect NOSCRIPT 'An error was signalled by the server - NoScriptError: it says why (NOSCRIPT)
NoScript: it says why (NOSCRIPT)' "$(told NOSCRIPT)"
expect NOPERM 'NOPERM: it says why (NOPERM)
NoPerm: it says why (NOPERM)' "$(told NOPERM)"
expect OOM 'OOM: it says why (OOM)
"OOM": it says why (OOM)' "$(told OOM)"
