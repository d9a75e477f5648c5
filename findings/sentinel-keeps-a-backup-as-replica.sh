#!/usr/bin/env bash
# What most would guess: Sentinel knows replicas, and redis-cli --rdb is a client.
# What really happens: if Sentinel asks the master (every 10 s) while the copy is on its way, it takes the copier for
#   a replica on port 0, and never forgets it: the master has no replica any more, and Sentinel has one that is down.
# Version: Redis 7.0.15 with its Sentinel (Debian redis-server, redis-sentinel).
# Source: Sentinel manual, "Removing the old master or unreachable replicas": it never forgets a replica by itself;
#   sentinel.c takes every slaveN line of INFO that has an address.
# Who is hurt: those that copy a watched master and alert on the replicas that Sentinel tells of.
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

redis-server --version
sentinel=$(free_port)
cat >"$scratch/sentinel.conf" <<CONF
port $sentinel
bind 127.0.0.1
dir "$scratch"
sentinel monitor rent 127.0.0.1 $port 1
CONF
redis-server "$scratch/sentinel.conf" --sentinel >"$scratch/sentinel.log" 2>&1 &
trap 'kill %1 %2; wait; rm -rf "$scratch"' EXIT
# Large enough not to fit into the buffers of the connection, so that the copy lasts as long as the copier stands still.
ask config set rdbcompression no >"$scratch/config.log"
ask config set repl-diskless-sync-delay 0 >"$scratch/config.log"
ask eval 'for i = 1, 60 do redis.call("SET", "k" .. i, string.rep("x", 1000000)) end' 0 >"$scratch/fill.log"
replicas() { redis-cli -p "$sentinel" sentinel replicas rent | grep -A1 '^name$' | tail -1 || true; }

redis-cli -p "$port" --rdb "$scratch/copy.rdb" >"$scratch/copy.log" 2>&1 &
copier=$!
sleep 0.05
kill -STOP "$copier"
for _ in $(seq 150); do [ -n "$(replicas)" ] && break; sleep 0.1; done
kill -CONT "$copier"
wait "$copier"
for _ in $(seq 100); do
    ask info replication | grep -q '^connected_slaves:0' && break
    sleep 0.1
done
expect 'replicas that the master has' connected_slaves:0 "$(ask info replication | tr -d '\r' | grep '^connected_slaves')"
expect 'the replica that Sentinel has' 127.0.0.1:0 "$(replicas)"
