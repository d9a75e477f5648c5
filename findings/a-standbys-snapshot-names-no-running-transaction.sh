#!/usr/bin/env bash
# What most would guess: pg_current_snapshot() says on a hot standby what it says on a primary, so a snapshot that is taken there tells,
#   with pg_visible_in_snapshot, which transactions its reader has seen: a token for "read your own reads".
# What really happens: on a standby the list of running transactions is always empty. A transaction that is in progress, and whose rows
#   no reader sees, counts as visible to pg_visible_in_snapshot if a later one has committed. xmin and xmax are right.
# Version: PostgreSQL 15 (Debian postgresql-15).
# Source: procarray.c: during recovery GetSnapshotData puts running transactions into subxip, because it cannot tell them from
#   subtransactions; xid8funcs.c: pg_current_snapshot copies xip alone.
# Who is hurt: those that compare snapshots between servers, for session tokens, change feeds or queues read by transaction id.
set -euo pipefail

scratch=$(mktemp -d)
programs=$(dirname "$(dpkg -L postgresql-15 | grep 'bin/initdb$')")
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# PostgreSQL does not run as root.
as=()
if [ "$(id -u)" = 0 ]; then as=(runuser -u postgres --); chown postgres "$scratch"; fi
primary=$(free_port)
standby=$(free_port)
stop() {
    for data in standby primary; do
        (cd "$scratch" && "${as[@]}" "$programs/pg_ctl" -D "$data" -m immediate stop) >"$scratch/stop.log" 2>&1 || true
    done
    rm -rf "$scratch"
}
trap stop EXIT
cd "$scratch"
start() {
    "${as[@]}" "$programs/pg_ctl" -D "$1" -w -l "$1.log" \
        -o "-p $2 -c listen_addresses=127.0.0.1 -c unix_socket_directories=" start >start.log
}
"${as[@]}" "$programs/initdb" -D primary -A trust -U postgres -E UTF8 --locale C.UTF-8 >initdb.log
start primary "$primary"
sql() { psql -h 127.0.0.1 -p "$1" -U postgres -d postgres -qAtX -v ON_ERROR_STOP=1 -c "$2"; }
sql "$primary" 'SELECT version()'
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}
# await WHAT EXPECTED PORT STATEMENT: asks until the answer is that, or for 20 s.
await() {
    for _ in $(seq 200); do
        [ "$(sql "$3" "$4")" = "$2" ] && return
        sleep 0.1
    done
    echo "$1 did not happen"
    exit 1
}

sql "$primary" 'CREATE TABLE rents (tenant text, amount numeric(12, 2))'
"${as[@]}" "$programs/pg_basebackup" -h 127.0.0.1 -p "$primary" -U postgres -D standby -R -X stream -c fast >backup.log
start standby "$standby"
# One writes and does not commit, until it is told to; another one, which has begun later, commits.
mkfifo orders
psql -h 127.0.0.1 -p "$primary" -U postgres -d postgres -qAtX -v ON_ERROR_STOP=1 <orders >long.log &
long=$!
exec 3>orders
echo "BEGIN; INSERT INTO rents VALUES ('long', 1); SELECT pg_current_xact_id();" >&3
for _ in $(seq 200); do [ -s long.log ] && break; sleep 0.1; done
id=$(cat long.log)
sql "$primary" "INSERT INTO rents VALUES ('short', 2)"
await 'the row of the short one on the standby' short "$standby" 'SELECT tenant FROM rents'
shown="SELECT pg_visible_in_snapshot('$id'::xid8, pg_current_snapshot())"
running="SELECT count(*) FROM pg_snapshot_xip(pg_current_snapshot())"
expect 'running transactions in a snapshot of the primary' 1 "$(sql "$primary" "$running")"
expect 'running transactions in a snapshot of the standby' 0 "$(sql "$standby" "$running")"
expect 'visible by the snapshot of the primary' f "$(sql "$primary" "$shown")"
expect 'visible by the snapshot of the standby' t "$(sql "$standby" "$shown")"
expect 'rows of it that the standby shows' 0 "$(sql "$standby" "SELECT count(*) FROM rents WHERE tenant = 'long'")"
expect 'whether xmin is its id' t "$(sql "$standby" "SELECT pg_snapshot_xmin(pg_current_snapshot()) = '$id'::xid8")"
echo 'COMMIT;' >&3
exec 3>&-
wait "$long"
