#!/usr/bin/env bash
# What most would guess: row level security adds a condition to the statement, and the plan is what it would be with
#   that condition written out.
# What really happens: ILIKE is not leakproof, so it may only look at rows that have passed the policy: the trigram
#   index, which the owner's same statement uses, is out of reach, and every row of the tenant is read.
# Version: PostgreSQL 15 with pg_trgm (Debian postgresql-15).
# Source: PostgreSQL manual, 41.5 "Rules and Privileges" (security barriers, LEAKPROOF); pg_proc.proleakproof of
#   texticlike.
# Who is hurt: those that add row level security to an application that searches: measured as the owner all is well.
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
CREATE EXTENSION pg_trgm;
CREATE ROLE web LOGIN;
CREATE TABLE properties (landlord text, address text);
INSERT INTO properties SELECT 'landlord-' || number % 2, number || ' Church Street ' || md5(number::text)
    FROM generate_series(1, 50000) AS number;
CREATE INDEX by_landlord ON properties (landlord);
CREATE INDEX by_address ON properties USING gin (address gin_trgm_ops);
ALTER TABLE properties ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON properties USING (landlord = current_setting('app.landlord'));
GRANT SELECT ON properties TO web;
ANALYZE properties;
SQL
uses() {
    psql -h 127.0.0.1 -p "$port" -U "$1" -qAtX -d postgres -c "SET app.landlord = 'landlord-1'" -c "EXPLAIN (COSTS OFF)
        SELECT address FROM properties WHERE landlord = current_setting('app.landlord') AND address ILIKE '%a87ff679a2f3%'" |
        grep -o 'by_address' || echo 'not by_address'
}
expect 'the index that the owner uses' by_address "$(uses postgres)"
expect 'who is bound by the policy' 'not by_address' "$(uses web)"
