#!/usr/bin/env bash
# What most would guess: http-error (or errorfile) for 400 and 408 styles every 400 and 408 of HAProxy, and
#   http-after-response adds its fields to each.
# What really happens: both hold for an answer that a rule gives. A valid request whose fields do not fit the buffer
#   (16 kB: a large cookie) is answered by the parser, and a client that is slow with its fields by its timeout:
#   with the built-in HTML, and without the fields. Over-long fields are 400, not 431.
# Version: HAProxy 2.6 (Debian haproxy).
# Source: mux_h1.c: h1_send_error takes the built-in messages; HAProxy manual, "http-error status", does not tell.
# Who is hurt: those that promise problem details or CORS fields for every answer: a browser's client gets HTML that
#   its script may not read.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

haproxy -v | sed -n 1p
port=$(free_port)
cat >"$scratch/haproxy.cfg" <<CFG
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    timeout http-request 1s
frontend rents
    bind 127.0.0.1:$port
    http-error status 400 content-type application/problem+json string '{"status":400}'
    http-error status 408 content-type application/problem+json string '{"status":408}'
    http-after-response set-header Access-Control-Allow-Origin '*'
    http-request deny deny_status 400 if { path /400 }
    http-request deny deny_status 408 if { path /408 }
    http-request return status 200 content-type text/plain string rent
CFG
haproxy -db -f "$scratch/haproxy.cfg" >"$scratch/haproxy.log" 2>&1 &
trap 'kill %1; wait; rm -rf "$scratch"' EXIT
cat >"$scratch/client.py" <<'PY'
import http.client, socket, sys
# PORT PATH [SIZE OF COOKIE]: prints the status, the type and the field for CORS. With the path - the client pauses.
port, path, cookie = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1
with socket.create_connection(("127.0.0.1", port), timeout=10) as it:
    pauses = path == "-"
    fields = f"GET {'/' if pauses else path} HTTP/1.1\r\nHost: rents\r\nCookie: c={'x' * cookie}\r\n"
    it.sendall((fields if pauses else fields + "\r\n").encode())
    answer = http.client.HTTPResponse(it)
    answer.begin()
    print(answer.status, answer.getheader("Content-Type"), answer.getheader("Access-Control-Allow-Origin"))
PY
ask() { python3 "$scratch/client.py" "$port" "$@"; }
for _ in $(seq 50); do ask / >"$scratch/ask.log" 2>&1 && break; sleep 0.1; done
expect 'a small cookie' '200 text/plain *' "$(ask /)"
expect '400 by a rule' '400 application/problem+json *' "$(ask /400)"
expect '408 by a rule' '408 application/problem+json *' "$(ask /408)"
expect 'a cookie of 16 kB' '400 text/html None' "$(ask / 16300)"
expect 'a client that pauses' '408 text/html None' "$(ask -)"
