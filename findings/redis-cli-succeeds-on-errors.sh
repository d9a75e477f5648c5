#!/usr/bin/env bash
# What most would guess: redis-cli ping fails where Redis does not answer as it should, so it makes a good probe.
# What really happens: an error reply (NOAUTH here) goes with exit code 0. Only -e, which came with 7.0, makes it 1.
# Version: redis-cli 7.0.15 (Debian redis-tools).
# Source: redis-cli --help: "-e Return exit error code when command execution fails".
# Who is hurt: those whose liveness or readiness probe runs redis-cli ping: it is green for a server that refuses
#   every request.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)
redis-server --port "$port" --bind 127.0.0.1 --dir "$scratch" --save '' --requirepass rent >"$scratch/redis.log" 2>&1 &
trap 'kill %1; wait; rm -rf "$scratch"' EXIT
ask() { redis-cli -p "$port" "$@"; }
for _ in $(seq 100); do ask ping >"$scratch/ping.log" 2>&1 && break; sleep 0.1; done
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

redis-cli --version
code() { if "$@" >"$scratch/said" 2>&1; then echo 0; else echo "$?"; fi; }
plain=$(code redis-cli -p "$port" ping)
expect 'what redis-cli ping says' 'NOAUTH Authentication required.' "$(head -1 "$scratch/said")"
expect 'its exit code' 0 "$plain"
expect 'the exit code of redis-cli -e ping' 1 "$(code redis-cli -p "$port" -e ping)"
