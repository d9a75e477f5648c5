#!/usr/bin/env bash
# What most would guess: pg_xact_status(id) answers for one's own transaction, since the 64-bit ids never repeat, and a
#   database that was put back from a copy can be told by its system identifier or its timeline.
# What really happens: a data directory that is put back (stopped, copied, put back, started) has the same system
#   identifier and the same timeline, and gives the same transaction ids and WAL positions again. A transaction that
#   is lost is "committed" as soon as another one has its id.
# Version: PostgreSQL 15 (Debian postgresql-15).
# Source: PostgreSQL manual, 26.2 "File System Level Backup"; a new timeline is made by archive recovery alone (26.3.5
#   "Timelines"); "Transaction ID and Snapshot Information Functions" has pg_xact_status for a COMMIT without answer.
# Who is hurt: those that settle an unknown outcome with pg_xact_status, and those that keep an id or a WAL position in
#   a cache or a feed: after the copy it stands for something else.
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

start() {
    "${as[@]}" "$programs/pg_ctl" -D data -w -l server.log \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=" start >start.log
}
stop_orderly() { "${as[@]}" "$programs/pg_ctl" -D data -w -m fast stop >stop-orderly.log; }
identity() { sql -d postgres -c 'SELECT system_identifier, timeline_id FROM pg_control_system(), pg_control_checkpoint()'; }
# pay WHAT: a committed payment; prints the id of its transaction.
pay() { sql -d postgres -c "INSERT INTO payment VALUES ('$1') RETURNING pg_current_xact_id()"; }
position() { sql -d postgres -c 'SELECT pg_current_wal_lsn()'; }
status() { sql -d postgres -c "SELECT pg_xact_status('$1')"; }
same() { if [ "$1" = "$2" ]; then echo yes; else echo no; fi; }

sql -d postgres -c 'CREATE TABLE payment (what text)'
stop_orderly
"${as[@]}" cp -a data copy
start
before=$(identity)
lost=$(pay rent)
far=$(position)
expect 'the payment of rent, before' committed "$(status "$lost")"
stop_orderly
rm -rf data
"${as[@]}" cp -a copy data
start
expect 'the same system identifier and timeline after' yes "$(same "$before" "$(identity)")"
expect 'the WAL is behind where it was' t "$(sql -d postgres -c "SELECT pg_current_wal_lsn() < '$far'")"
other=$(pay water)
expect 'the payment of water has the id of that of rent' yes "$(same "$lost" "$other")"
expect 'the payment of rent, after' committed "$(status "$lost")"
expect 'payments that are there' water "$(sql -d postgres -c 'SELECT what FROM payment')"
