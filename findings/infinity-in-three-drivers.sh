#!/usr/bin/env bash
# What most would guess: a driver tells an infinite timestamp from a finite one, and the greatest date that a language
#   has is stored as that date.
# What really happens: node-pg gives the number Infinity, whose JSON is null. asyncpg gives the greatest datetime, and
#   stores the greatest datetime as infinity, so the two cannot be told apart. psycopg raises.
# Version: pg 8.23.1 (npm), asyncpg 0.32.0, psycopg 3.3.9 (PyPI), PostgreSQL 15 (Debian postgresql-15).
# Source: PostgreSQL manual, 8.5.1.4 "Special Values"; the drivers' documentation of types.
# Who is hurt: those whose rows were written by a driver (.NET's among them) that maps its least and greatest date to
#   infinity: the same row is null, the year 9999 or an error, by the reader.
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
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check asyncpg==0.32.0 'psycopg[binary]==3.3.9'
venv/bin/pip freeze | grep -E '^(asyncpg|psycopg)=='
export URL="postgres://postgres@127.0.0.1:$port/postgres"
expect 'node-pg, as JSON' '{"until":null}' "$(node --input-type=module - <<'JS'
import pg from 'pg';
const client = new pg.Client(process.env.URL);
await client.connect();
console.log(JSON.stringify((await client.query("SELECT timestamptz 'infinity' AS until")).rows[0]));
await client.end();
JS
)"
expect 'asyncpg: read, and the greatest datetime written' '9999-12-31 23:59:59.999999 infinity' "$(venv/bin/python - <<'PY'
import asyncio, asyncpg, datetime, os
async def main():
    it = await asyncpg.connect(os.environ["URL"])
    read = await it.fetchval("SELECT timestamp 'infinity'")
    print(read, await it.fetchval("SELECT $1::timestamp::text", datetime.datetime.max))
asyncio.run(main())
PY
)"
expect 'psycopg' "DataError: timestamp too large (after year 10K): 'infinity'" "$(venv/bin/python - <<'PY'
import os, psycopg
with psycopg.connect(os.environ["URL"]) as it:
    try:
        print(it.execute("SELECT timestamptz 'infinity'").fetchone())
    except psycopg.DataError as error:
        print(f"DataError: {error}")
PY
)"
