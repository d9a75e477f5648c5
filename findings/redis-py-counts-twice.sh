#!/usr/bin/env bash
# What most would guess: INCR sent once counts once; a call that takes too long raises TimeoutError.
# What really happens: since version 6 a client made without any setting sends a command again after a timeout. Where
#   only the answer was late, the counter is counted twice for one call, which returns 2 and raises nothing.
# Version: redis 8.1.0 (PyPI), Redis 7.0.15 (Debian redis-server).
# Source: redis-py documentation, "Retry Helpers" (three retries with backoff by default, on timeouts too).
# Who is hurt: those that count with INCR or LPUSH: budgets, rate limits, sequences, queues.
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

python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0
"$scratch/venv/bin/pip" freeze | grep -iE "^(redis)=="

redis-server --version
expect 'what INCR returned, and what Redis has' '2 2' "$(PORT=$port "$scratch/venv/bin/python" - <<'PY'
import os, socket, threading, time, redis
server = ("127.0.0.1", int(os.environ["PORT"]))
# A wire on which the first answer to INCR takes longer than the client waits.
wire = socket.create_server(("127.0.0.1", 0))
late = [b":1\r\n"]
def carry(source, target):
    while data := source.recv(65536):
        if data in late:
            late.remove(data)
            time.sleep(1)
        try:
            target.sendall(data)
        except OSError:
            return
def accept():
    while True:
        client = wire.accept()[0]
        upstream = socket.create_connection(server)
        for pair in (client, upstream), (upstream, client):
            threading.Thread(target=carry, args=pair, daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
client = redis.Redis(port=wire.getsockname()[1], socket_timeout=0.3)
print(client.incr("requests"), redis.Redis(port=server[1]).get("requests").decode())
PY
)"
