#!/usr/bin/env bash
# What most would guess: compression in a proxy is nobody's business but the wire's: what a client read it can write
#   back with the ETag that it got.
# What really happens: HAProxy rightly makes the ETag of a compressed answer a weak one, and If-Match compares
#   strongly: to send back what was got is then 412 for ever, for clients that accept gzip alone.
# Version: HAProxy 2.6 (Debian haproxy).
# Source: RFC 9110, 8.8.3.2 and 13.1.1 (If-Match needs a strong comparison); HAProxy manual, "compression algo".
# Who is hurt: those that guard against lost updates and switch compression on in front: every browser's edit fails,
#   and curl's does not.
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
back=$(free_port) front=$(free_port)
cat >"$scratch/server.py" <<'PY'
import http.server, sys
class Rents(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b'{"notes": "' + b"x" * 2000 + b'"}'
        self.send_response(200)
        for name, value in [("ETag", '"v1"'), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Rents).serve_forever()
PY
cat >"$scratch/haproxy.cfg" <<CFG
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
listen rents
    bind 127.0.0.1:$front
    compression algo gzip
    compression type application/json
    server one 127.0.0.1:$back
CFG
python3 "$scratch/server.py" "$back" 2>"$scratch/server.log" &
haproxy -db -f "$scratch/haproxy.cfg" >"$scratch/haproxy.log" 2>&1 &
trap 'kill %1 %2; wait; rm -rf "$scratch"' EXIT
etag() { curl -sS -o "$scratch/body" -D - "$@" "http://127.0.0.1:$front/" | tr -d '\r' | sed -n 's/^etag: //p'; }
for _ in $(seq 50); do [ -n "$(etag 2>"$scratch/curl.log")" ] && break; sleep 0.1; done
expect 'ETag for a client that accepts no compression' '"v1"' "$(etag)"
expect 'ETag for one that does' 'W/"v1"' "$(etag -H 'Accept-Encoding: gzip')"
