#!/usr/bin/env bash
# What most would guess: the converter json(utf8) makes any valid UTF-8 fit for a JSON log, and utf8s leaves out what is
#   not valid.
# What really happens: a character above U+FFFF (an emoji, many Chinese names) is an error to both: with utf8 the whole
#   value is empty, with utf8s the character is missing, and with ascii it is four others. No mode keeps it, though
#   JSON has surrogate pairs for it.
# Version: HAProxy 2.6 (Debian haproxy).
# Source: HAProxy manual, "json": such a character is "too long" for four hex digits; RFC 8259, section 7, has the pair.
# Who is hurt: those that search their logs for a path or a name: two paths that differ are one, or none.
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
frontend rents
    bind 127.0.0.1:$port
    http-request return status 200 content-type application/json lf-string \
'{"utf8":"%[path,url_dec,json(utf8)]","utf8s":"%[path,url_dec,json(utf8s)]","ascii":"%[path,url_dec,json(ascii)]"}'
CFG
haproxy -db -f "$scratch/haproxy.cfg" >"$scratch/haproxy.log" 2>&1 &
trap 'kill %1; wait; rm -rf "$scratch"' EXIT
ask() { curl -sS "http://127.0.0.1:$port/$1"; }
for _ in $(seq 50); do ask a >"$scratch/ask.log" 2>&1 && break; sleep 0.1; done
expect 'é' '{"utf8":"\/\u00e9","utf8s":"\/\u00e9","ascii":"\/\u00c3\u00a9"}' "$(ask %C3%A9)"
expect 'U+1F3E0, a house' '{"utf8":"","utf8s":"\/","ascii":"\/\u00f0\u009f\u008f\u00a0"}' "$(ask %F0%9F%8F%A0)"
expect 'U+20BB7, in Chinese and Japanese names' '{"utf8":"","utf8s":"\/","ascii":"\/\u00f0\u00a0\u00ae\u00b7"}' \
    "$(ask %F0%A0%AE%B7)"
