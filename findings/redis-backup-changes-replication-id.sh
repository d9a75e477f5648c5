#!/usr/bin/env bash
# What most would guess: a copy taken with redis-cli --rdb only reads, so the server is the same to everybody before
#   and after.
# What really happens: a master without replicas takes a new master_replid at the first copy, and another one when the
#   backlog is freed (repl-backlog-ttl, an hour by default), with the same process and the same data. run_id stays,
#   and master_replid2 stays all zeros.
# Version: Redis 7.0.15 (Debian redis-server). Redis 6.2.14, 8.2.3 and Valkey 9.1.2 do the same.
# Source: replication.c: syncCommand makes a new id whenever it creates the backlog, replicationCron when it frees it.
# Who is hurt: those that take run_id and master_replid together for the identity of the data, and those that count
#   changes of the id as failovers.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)
redis-server --port "$port" --bind 127.0.0.1 --dir "$scratch" --save '' --repl-backlog-ttl 1 >"$scratch/redis.log" 2>&1 &
trap 'kill %1; wait; rm -rf "$scratch"' EXIT
ask() { redis-cli -p "$port" "$@"; }
for _ in $(seq 100); do ask ping >"$scratch/ping.log" 2>&1 && break; sleep 0.1; done
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

redis-server --version
id() { ask info replication | tr -d '\r' | sed -n "s/^$1://p"; }
run() { ask info server | tr -d '\r' | sed -n 's/^run_id://p'; }
changed() { if [ "$1" = "$2" ]; then echo no; else echo yes; fi; }

ask set rent 1200.50 >"$scratch/set.log"
before=$(id master_replid) process=$(run)
ask --rdb "$scratch/copy.rdb" >"$scratch/copy.log" 2>&1
after=$(id master_replid)
expect 'another master_replid after a copy' yes "$(changed "$before" "$after")"
for _ in $(seq 100); do [ "$(id master_replid)" != "$after" ] && break; sleep 0.1; done
expect 'another one after the backlog was freed' yes "$(changed "$after" "$(id master_replid)")"
expect 'another process' no "$(changed "$process" "$(run)")"
expect 'master_replid2' 0000000000000000000000000000000000000000 "$(id master_replid2)"
