#!/usr/bin/env bash
# What most would guess: a reply over client-output-buffer-limit is an error, or is cut off after that many bytes, and
#   a client that reads as fast as it can never meets the limit.
# What really happens: the reply is made as a whole before any of it is sent: the connection closes without a byte, and
#   without an error that errorstats would count. The command was run: GETDEL has removed the value that nobody got.
# Version: Redis 7.0.15 (Debian redis-server).
# Source: redis.conf, "client-output-buffer-limit"; networking.c: closeClientOnOutputBufferLimitReached.
# Who is hurt: those that set a hard limit for normal clients, as guides for shared servers advise: a client takes it
#   for a fault of the network, and sends the command again.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)
redis-server --port "$port" --bind 127.0.0.1 --dir "$scratch" --save '' \
    --client-output-buffer-limit 'normal 1mb 0 0' >"$scratch/redis.log" 2>&1 &
trap 'kill %1; wait; rm -rf "$scratch"' EXIT
ask() { redis-cli -p "$port" "$@"; }
for _ in $(seq 100); do ask ping >"$scratch/ping.log" 2>&1 && break; sleep 0.1; done
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

redis-server --version
cat >"$scratch/client.py" <<'PY'
import socket, sys
# Sends one command, reads at once, and says how many bytes came before the connection was closed.
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10) as it:
    it.sendall(" ".join(sys.argv[2:]).encode() + b"\r\n")
    received = 0
    while more := it.recv(1 << 20):
        received += len(more)
        if received > 900_000:
            break
    print(received, "bytes, then", "the rest" if more else "closed")
PY
head -c 900001 /dev/zero | tr '\0' x | ask -x set small >"$scratch/set.log"
head -c 2000000 /dev/zero | tr '\0' x | ask -x set large >"$scratch/set.log"
expect 'a reply of 0.9 MB' '900012 bytes, then the rest' "$(python3 "$scratch/client.py" "$port" GET small)"
expect 'a reply of 2 MB' '0 bytes, then closed' "$(python3 "$scratch/client.py" "$port" GET large)"
expect 'GETDEL of 2 MB' '0 bytes, then closed' "$(python3 "$scratch/client.py" "$port" GETDEL large)"
expect 'the value is there after that' 0 "$(ask exists large)"
expect 'errors that are counted' '# Errorstats' "$(ask info errorstats | tr -d '\r' | sed '/^$/d')"
