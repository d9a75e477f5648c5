#!/usr/bin/env bash
# What most would guess: DELETE … WHERE id IN (SELECT id … LIMIT 10 FOR UPDATE SKIP LOCKED) removes ten rows at most.
# What really happens: where the planner takes the table for tiny (it was analyzed when it had one row) it joins by a
#   nested loop, runs the subquery again for each row, and each run skips what is gone and picks ten others:
#   everything is removed. Picked in a materialized CTE it is ten.
# Version: PostgreSQL 15 (Debian postgresql-15).
# Source: PostgreSQL manual, SELECT, "The Locking Clause"; nodeLimit.c and nodeLockRows.c: a rescan locks and counts
#   anew.
# Who is hurt: those that clean up or take jobs in batches: the batch that is to be small is the whole table, in one
#   transaction.
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
CREATE TABLE keys (landlord text, key text, expires timestamptz, PRIMARY KEY (landlord, key));
INSERT INTO keys VALUES ('first', 'first', now());
ANALYZE keys;
INSERT INTO keys SELECT 'landlord', number::text, now() FROM generate_series(1, 49) AS number;
SQL
pick="SELECT landlord, key FROM keys WHERE expires <= now() ORDER BY expires LIMIT 10 FOR UPDATE SKIP LOCKED"
removed() { sql -d postgres -c "BEGIN" -c "$1" -c "ROLLBACK"; }
expect 'removed of 50 rows, with IN (SELECT … LIMIT 10 …)' 50 "$(removed "
    WITH gone AS (DELETE FROM keys WHERE (landlord, key) IN ($pick) RETURNING 1) SELECT count(*) FROM gone")"
expect 'the same, picked in a materialized CTE' 10 "$(removed "
    WITH picked AS MATERIALIZED ($pick),
         gone AS (DELETE FROM keys WHERE (landlord, key) IN (SELECT landlord, key FROM picked) RETURNING 1)
    SELECT count(*) FROM gone")"
