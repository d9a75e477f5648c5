#!/usr/bin/env bash
# What most would guess: a replica that was promoted names its former master in master_replid2 for as long as it runs,
#   and master_replid2 of zeros means that the server never was a replica.
# What really happens: with no replica of its own it frees its backlog (repl-backlog-ttl, an hour by default), and then
#   master_replid is a third id and master_replid2 is all zeros, with second_repl_offset -1: as on a server that has
#   always been alone.
# Version: Redis 7.0.15 (Debian redis-server).
# Source: replication.c: replicationCron, which makes a new id and clears the second one before it frees the backlog.
# Who is hurt: those that look for a failover by these ids, once an hour or later: they see a new server, not the heir
#   of the one that they knew.
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

redis-server --version
master=$(free_port) replica=$(free_port)
mkdir "$scratch/master" "$scratch/replica"
# start FOLDER PORT SETTINGS
start() {
    redis-server --port "$2" --bind 127.0.0.1 --dir "$scratch/$1" --save '' --repl-backlog-ttl 2 \
        --repl-diskless-sync-delay 0 "${@:3}" >"$scratch/$1.log" 2>&1 &
    for _ in $(seq 100); do redis-cli -p "$2" ping >"$scratch/ping.log" 2>&1 && break; sleep 0.1; done
}
# of PORT FIELD
of() { redis-cli -p "$1" info replication | tr -d '\r' | sed -n "s/^$2://p"; }
same() { if [ "$1" = "$2" ]; then echo yes; else echo no; fi; }
zeros=0000000000000000000000000000000000000000

start master "$master"
start replica "$replica" --replicaof 127.0.0.1 "$master"
for _ in $(seq 100); do [ "$(of "$replica" master_link_status)" = up ] && break; sleep 0.1; done
redis-cli -p "$master" set rent 1200.50 >"$scratch/set.log"
redis-cli -p "$master" wait 1 5000 >"$scratch/wait.log"
former=$(of "$master" master_replid)
redis-cli -p "$replica" replicaof no one >"$scratch/promote.log"
promoted=$(of "$replica" master_replid)
expect 'after the promotion: master_replid2 is the id of the former master' yes \
    "$(same "$former" "$(of "$replica" master_replid2)")"
for _ in $(seq 100); do [ "$(of "$replica" repl_backlog_active)" = 0 ] && break; sleep 0.1; done
expect 'after the backlog was freed: master_replid2' "$zeros" "$(of "$replica" master_replid2)"
expect 'after the backlog was freed: second_repl_offset' -1 "$(of "$replica" second_repl_offset)"
expect 'after the backlog was freed: master_replid is what it was' no "$(same "$promoted" "$(of "$replica" master_replid)")"
expect 'the data' 1200.50 "$(redis-cli -p "$replica" get rent)"
