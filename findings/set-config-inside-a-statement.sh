#!/usr/bin/env bash
# What most would guess: a statement may set its own limits first: set_config(…, true) in a CTE that is materialized
#   holds for what comes after it.
# What really happens: lock_timeout set so holds at once. statement_timeout does not: its clock is started before the
#   statement runs, by the value of before, and the statement goes on for as long as it likes.
# Version: PostgreSQL 15 (Debian postgresql-15).
# Source: postgres.c: start_xact_command starts the clock of statement_timeout; proc.c: ProcSleep reads lock_timeout
#   at each wait.
# Who is hurt: those that must send one statement (through a pooler, or a protocol without transactions) and want it
#   bounded by itself.
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

sql -d postgres -c 'CREATE TABLE rents (id int PRIMARY KEY, amount numeric(12, 2))' \
    -c 'INSERT INTO rents VALUES (1, 1200)'
# outcome STATEMENT: done, or why it was ended.
outcome() { if sql -d postgres -c "$1" >said.log 2>&1; then echo done; else grep -o 'canceling.*' said.log; fi; }
expect 'a second of work under its own statement_timeout of 100 ms' done "$(outcome "
    WITH own AS MATERIALIZED (SELECT set_config('statement_timeout', '100ms', true) AS it)
    SELECT pg_sleep(1) FROM own WHERE it IS NOT NULL")"
psql -h 127.0.0.1 -p "$port" -U postgres -qX -d postgres \
    -c 'BEGIN; UPDATE rents SET amount = 1; SELECT pg_sleep(3); COMMIT' >holder.log 2>&1 &
for _ in $(seq 50); do
    [ "$(sql -d postgres -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")" = 1 ] && break
    sleep 0.1
done
expect 'a locked row under its own lock_timeout of 100 ms' 'canceling statement due to lock timeout' "$(outcome "
    WITH own AS MATERIALIZED (SELECT set_config('lock_timeout', '100ms', true) AS it)
    UPDATE rents SET amount = 2 FROM own WHERE id = 1 AND it IS NOT NULL")"
