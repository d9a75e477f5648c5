#!/usr/bin/env bash
# What most would guess: statement_timeout bounds every statement, so a client that has waited that long knows that
#   the server has ended it.
# What really happens: a commit that waits for a synchronous standby is not ended: the session still waits in SyncRep
#   long after, its row invisible, and shows it whenever the standby comes back.
# Version: PostgreSQL 15 (Debian postgresql-15).
# Source: PostgreSQL manual, 27.2.8 "Synchronous Replication"; syncrep.c: SyncRepWaitForLSN heeds cancellation by a
#   user or an administrator, and statement_timeout is off by then.
# Who is hurt: those that take a deadline of the server as proof that an unanswered write will not happen any more:
#   fences, retries, idempotency.
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

sql -d postgres -c 'CREATE TABLE rents (amount numeric(12, 2))'
sql -d postgres -c "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (ghost)'" \
    -c 'SELECT pg_reload_conf()' >reload.log
for _ in $(seq 50); do
    [ "$(sql -d postgres -c 'SHOW synchronous_standby_names')" = 'ANY 1 (ghost)' ] && break
    sleep 0.1
done
PGAPPNAME=writer PGOPTIONS='-c statement_timeout=300ms' psql -h 127.0.0.1 -p "$port" -U postgres -qAtX -d postgres \
    -c 'INSERT INTO rents VALUES (1200.50)' >writer.log 2>&1 &
writer=$!
sleep 3
expect 'the statement, 3 s after a timeout of 300 ms' 'active SyncRep' \
    "$(sql -d postgres -F ' ' -c "SELECT state, wait_event FROM pg_stat_activity WHERE application_name = 'writer'")"
expect 'its row, to others' 0 "$(sql -d postgres -c 'SELECT count(*) FROM rents')"
# In place of the standby that comes back.
sql -d postgres -c 'ALTER SYSTEM RESET synchronous_standby_names' -c 'SELECT pg_reload_conf()' >reload.log
wait "$writer"
expect 'its row, after the standby is no longer waited for' 1200.50 "$(sql -d postgres -c 'SELECT amount FROM rents')"
expect 'what the writer was told' '' "$(cat writer.log)"
