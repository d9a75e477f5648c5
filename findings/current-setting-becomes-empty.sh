#!/usr/bin/env bash
# What most would guess: current_setting(name, true) is NULL where nobody has set the name, so a policy on it finds
#   nothing, on a pooled connection as on a fresh one.
# What really happens: after a transaction that set it for itself alone (set_config(…, true)) it is the empty text on
#   that connection, not NULL: a cast to uuid then fails, and IS NULL is false.
# Version: PostgreSQL 15 (Debian postgresql-15).
# Source: PostgreSQL manual, 20.16 "Customized Options"; guc.c: the placeholder that set_config made stays, with its
#   reset value, which is empty.
# Who is hurt: those with row level security behind a pool: the error, or the wrong branch, comes only on connections
#   that were used before.
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

sql -d postgres >said.log 2>errors.log <<'SQL'
SELECT coalesce(current_setting('app.landlord', true), 'NULL');
BEGIN;
SELECT set_config('app.landlord', '0190a5c2-0000-7000-8000-000000000001', true);
COMMIT;
SELECT coalesce(current_setting('app.landlord', true), 'NULL');
\set ON_ERROR_STOP 0
SELECT 1 WHERE current_setting('app.landlord', true)::uuid IS NULL;
\echo :LAST_ERROR_MESSAGE
SQL
expect 'on a fresh connection' NULL "$(sed -n 1p said.log)"
expect 'after a transaction that had set it' '' "$(sed -n 3p said.log)"
expect 'a cast of it to uuid' 'invalid input syntax for type uuid: ""' "$(sed -n 4p said.log)"
