#!/usr/bin/env bash
# What most would guess: declaring a SQL function IMMUTABLE helps the planner; at worst it makes no difference.
# What really happens: around an expression that is only STABLE (extract of a timestamptz) it keeps the planner from
#   inlining the function. Without the declaration it is inlined, and with AT TIME ZONE inside, which makes the
#   expression immutable in truth, too.
# Version: PostgreSQL 15 (Debian postgresql-15).
# Source: clauses.c, inline_function: the body must not be more volatile than the function says that it is.
# Who is hurt: those that declare a function IMMUTABLE for an index: each row then costs a call of an SQL function (a
#   page of 50 took twice as long).
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

sql -d postgres <<'SQL'
CREATE TABLE payments (paid_at timestamptz);
CREATE FUNCTION declared(timestamptz) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT extract(epoch FROM $1)';
CREATE FUNCTION undeclared(timestamptz) RETURNS numeric LANGUAGE sql AS 'SELECT extract(epoch FROM $1)';
CREATE FUNCTION in_truth(timestamptz) RETURNS numeric LANGUAGE sql IMMUTABLE
    AS $$SELECT extract(epoch FROM $1 AT TIME ZONE 'UTC')$$;
SQL
plan() { sql -d postgres -c "EXPLAIN (VERBOSE, COSTS OFF) SELECT $1(paid_at) FROM payments" | sed -n 's/^ *Output: //p'; }
expect 'IMMUTABLE around STABLE' 'declared(paid_at)' "$(plan declared)"
expect 'without the declaration' 'EXTRACT(epoch FROM paid_at)' "$(plan undeclared)"
expect 'IMMUTABLE in truth' "EXTRACT(epoch FROM (paid_at AT TIME ZONE 'UTC'::text))" "$(plan in_truth)"
