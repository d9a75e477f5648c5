#!/usr/bin/env bash
# What most would guess: a row's timestamp, as the driver gave it, is a good position to go on from: WHERE created_at
#   > $1.
# What really happens: PostgreSQL has microseconds and a JavaScript Date milliseconds: the position lies before its
#   own row, which comes again, and where a page lies within one millisecond the same page comes for ever.
# Version: pg 8.23.1 (npm), PostgreSQL 15 (Debian postgresql-15).
# Source: ECMA-262, 21.4.1.1 (a Date is a whole number of milliseconds); PostgreSQL manual, 8.5 "Date/Time Types"
#   (microseconds).
# Who is hurt: those that page by keyset from JavaScript: rows twice, or a loop; only on rows that were written
#   quickly after each other.
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

npm install --silent --no-audit --no-fund pg@8.23.1
npm ls --depth 0 | tail -n +2
sql -d postgres -c "CREATE TABLE payments AS
    SELECT id, timestamptz '2026-01-01 00:00:00.0001+00' + id * interval '0.3 ms' AS created_at FROM generate_series(0, 9) AS id"
export URL="postgres://postgres@127.0.0.1:$port/postgres"
expect 'ids of four pages of two of ten rows' '[[0,1],[0,1],[0,1],[0,1]]' "$(node --input-type=module - <<'JS'
import pg from 'pg';
const client = new pg.Client(process.env.URL);
await client.connect();
const pages = [];
let after = new Date(0);
for (let count = 0; count < 4; count++) {
    const page = 'SELECT id, created_at FROM payments WHERE created_at > $1 ORDER BY created_at LIMIT 2';
    const { rows } = await client.query(page, [after]);
    pages.push(rows.map((row) => row.id));
    after = rows.at(-1).created_at;
}
console.log(JSON.stringify(pages));
await client.end();
JS
)"
