#!/usr/bin/env bash
# What most would guess: BLPOP waits as long as its own argument says, and an element that is pushed meanwhile is the answer.
# What really happens: from 1.0 on an asynchronous connection gives up after half a second unless it is told otherwise: the
#   call is an error, "timed out". The server still waits, hands the element to nobody, and it is gone. 0.32 waits.
# Version: redis 0.32.7 and 1.8.1 (crates.io), with cargo of Rust 1.95; Redis 7.0.15 (Debian redis-server).
# Source: DEFAULT_RESPONSE_TIMEOUT in client.rs of 1.8.1; the notes on the upgrade to 1.0 in its lib.rs tell of it.
# Who is hurt: queues on BLPOP, and those that run a script or a large command of more than half a second.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)
redis-server --port "$port" --bind 127.0.0.1 --dir "$scratch" --save '' >"$scratch/redis.log" 2>&1 &
trap 'kill %1; wait; rm -rf "$scratch"' EXIT
ask() { redis-cli -p "$port" "$@"; }
for _ in $(seq 100); do ask ping >"$scratch/ping.log" 2>&1 && break; sleep 0.1; done
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

cd "$scratch"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "queue"
version = "0.0.0"
edition = "2021"
[dependencies]
old = { package = "redis", version = "=0.32.7", default-features = false, features = ["aio", "tokio-comp"] }
new = { package = "redis", version = "=1.8.1", default-features = false, features = ["aio", "tokio-comp"] }
tokio = { version = "1", features = ["macros", "rt"] }
TOML
cat >src/main.rs <<'RUST'
/// What a version answers to `BLPOP rents 3`: the list and the element, or why there is none.
macro_rules! pop {
    ($version:ident, $url:expr) => {{
        let client = $version::Client::open($url).expect("a URL");
        let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
        let popped: Result<(String, String), _> =
            $version::cmd("BLPOP").arg("rents").arg(3).query_async(&mut connection).await;
        match popped {
            Ok((_, element)) => println!("{element}"),
            Err(error) => println!("{error}"),
        }
        // Kept for a second more, as an application keeps its connection.
        tokio::task::spawn_blocking(|| std::thread::sleep(std::time::Duration::from_secs(1))).await.expect("slept");
    }};
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(2).expect("a URL");
    if std::env::args().nth(1).as_deref() == Some("old") { pop!(old, url) } else { pop!(new, url) }
}
RUST
cargo build --quiet --jobs 1 --target-dir target
cargo tree --quiet --depth 1 --prefix none | grep '^redis'
redis-server --version
# popped VERSION: what the call returned, and how many elements are left, where one is pushed while it waits.
popped() {
    target/debug/queue "$1" "redis://127.0.0.1:$port" >answer &
    sleep 1
    ask rpush rents 1200.50 >push.log
    wait $!
    echo "$(cat answer), $(ask llen rents) left"
}
expect '0.32' '1200.50, 0 left' "$(popped old)"
expect '1.8' 'timed out, 0 left' "$(popped new)"
