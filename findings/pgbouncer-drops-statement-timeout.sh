#!/usr/bin/env bash
# What most would guess: ignore_startup_parameters = options has pgbouncer let the options through, as the setting of
#   that name that everybody copies suggests.
# What really happens: it drops them without a word: a client that asks for a statement_timeout in its connection
#   string has none.
# Version: pgbouncer 1.18.0 (Debian pgbouncer), PostgreSQL 15 (Debian postgresql-15).
# Source: pgbouncer manual, ignore_startup_parameters: the pooler "assumes that those parameters are handled by the
#   administrator"; options became known to it in 1.20.
# Who is hurt: those that bound their statements in the connection string: behind the pooler nothing is bounded, and
#   nothing says so.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
programs=$(dirname "$(dpkg -L postgresql-15 | grep 'bin/initdb$')")
# PostgreSQL does not run as root.
as=()
if [ "$(id -u)" = 0 ]; then as=(runuser -u postgres --); chown postgres "$scratch"; fi
port=$(free_port)
stop() {
    kill %1 || true
    (cd "$scratch" && "${as[@]}" "$programs/pg_ctl" -D data -m immediate stop) >"$scratch/stop.log" 2>&1 || true
    rm -rf "$scratch"
}
trap stop EXIT
cd "$scratch"
"${as[@]}" "$programs/initdb" -D data -A trust -U postgres -E UTF8 --locale C.UTF-8 >initdb.log
"${as[@]}" "$programs/pg_ctl" -D data -w -l server.log \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=" start >start.log
sql() { psql -h 127.0.0.1 -p "$port" -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
sql -d postgres -c 'SELECT version()'
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

pgbouncer --version | head -1
pooler=$(free_port)
printf '"postgres" ""\n' >users.txt
cat >pgbouncer.ini <<INI
[databases]
* = host=127.0.0.1 port=$port
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $pooler
unix_socket_dir =
auth_type = trust
auth_file = users.txt
pool_mode = session
ignore_startup_parameters = options
INI
if [ "$(id -u)" = 0 ]; then chown postgres users.txt pgbouncer.ini; fi
"${as[@]}" pgbouncer pgbouncer.ini >pgbouncer.log 2>&1 &
limit() {
    PGOPTIONS='-c statement_timeout=1500ms' psql -h 127.0.0.1 -p "$1" -U postgres -qAtX -d postgres \
        -c 'SHOW statement_timeout'
}
for _ in $(seq 50); do limit "$pooler" >limit.log 2>&1 && break; sleep 0.1; done
expect 'statement_timeout of a direct connection' 1500ms "$(limit "$port")"
expect 'the same through pgbouncer (0: none)' 0 "$(limit "$pooler")"
