#!/usr/bin/env bash
# What most would guess: stop-writes-on-bgsave-error no means that a full disk stops nothing; at worst writes fail,
#   and PING answers as long as the server lives.
# What really happens: that setting is about snapshots. With the append-only file on a full file system writes answer
#   MISCONF, and so does PING, which Sentinel and probes ask, while GET goes on answering.
# Version: Redis 7.0.15 (Debian redis-server). Needs util-linux and either root or user namespaces, for a small file
#   system of its own.
# Source: server.c, processCommand: a write error of the append-only file denies writes and PING alike, whatever stop-
#   writes-on-bgsave-error says.
# Who is hurt: those whose probes ask PING: a full disk has the cache restarted, or failed over, in which every reader
#   was still served.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

redis-server --version
port=$(free_port)
export port scratch
cat >"$scratch/inside" <<'INSIDE'
mount -t tmpfs -o size=4m none "$scratch/data"
redis-server --port "$port" --bind 127.0.0.1 --dir "$scratch/data" --appendonly yes --save '' \
    --stop-writes-on-bgsave-error no >"$scratch/redis.log" 2>&1 &
trap 'kill %1; wait' EXIT
ask() { redis-cli -p "$port" "$@"; }
for _ in $(seq 100); do [ "$(ask ping 2>&1)" = PONG ] && break; sleep 0.1; done
ask set rent 1200.50
for i in 1 2 3 4 5 6; do head -c 1000000 "$scratch/mega" | ask -x set filler; done
ask ping
ask set rent 1300
ask get rent
ask info persistence | tr -d '\r' | grep aof_last_write_status
INSIDE
mkdir "$scratch/data"
python3 -c 'print("x" * 1000000)' >"$scratch/mega"
unshare --map-root-user --mount bash "$scratch/inside" 2>&1 | grep . | tail -4 >"$scratch/seen"
answer() { sed -n "$1p" "$scratch/seen"; }
expect 'PING' 'MISCONF Errors writing to the AOF file: No space left on device' "$(answer 1)"
expect 'SET' 'MISCONF Errors writing to the AOF file: No space left on device' "$(answer 2)"
expect 'GET' 1200.50 "$(answer 3)"
expect 'INFO' aof_last_write_status:err "$(answer 4)"
