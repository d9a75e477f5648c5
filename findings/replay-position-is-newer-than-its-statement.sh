#!/usr/bin/env bash
# What most would guess: a statement on a standby that answers rows and pg_last_wal_replay_lsn() says how far replay was for those
#   rows, so rows can be trusted where that position has reached the one that is needed.
# What really happens: the function is evaluated while the statement runs, and its snapshot was taken before. The position can cover
#   commits that the same statement's rows do not show: it says too much. Asked in a statement of its own before, under READ
#   COMMITTED, it says too little, which is what such a check needs.
# Version: PostgreSQL 15 (Debian postgresql-15).
# Source: PostgreSQL manual, 13.2.1 "Read Committed Isolation Level" (a snapshot as of the instant that the query began) and 9.27.4
#   "Recovery Control Functions"; pg_last_wal_replay_lsn is VOLATILE and reads shared memory.
# Who is hurt: those that check a replica's freshness in the query itself: caches, routers of reads, "wait for LSN" helpers.
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
sql() { psql -h 127.0.0.1 -p "$1" -U postgres -d postgres -qAtX -F ' ' -v ON_ERROR_STOP=1 -c "$2"; }
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

sql "$primary" 'CREATE TABLE rents (amount numeric(12, 2))'
"${as[@]}" "$programs/pg_basebackup" -h 127.0.0.1 -p "$primary" -U postgres -D standby -R -X stream -c fast >backup.log
start standby "$standby"
await 'the standby follows' 1 "$primary" "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
# A statement that takes a while: a slow disk, a lock, a large result. The pause stands for that.
statement='SELECT count(*) AS rows, pg_sleep(3), pg_last_wal_replay_lsn() AS replayed FROM rents'
sql "$standby" "SELECT rows || ' ' || replayed FROM (SELECT rows, replayed FROM ($statement) AS slow OFFSET 0) AS seen" >seen &
reader=$!
await 'the statement' 1 "$standby" "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
sql "$primary" 'INSERT INTO rents VALUES (1200.50)'
needed=$(sql "$primary" 'SELECT pg_current_wal_lsn()')
wait "$reader"
read -r rows replayed <seen
echo "the commit ends at $needed"
expect 'rows that the statement answered' 0 "$rows"
expect 'whether the position that it answered covers the commit' t \
    "$(sql "$primary" "SELECT '$replayed'::pg_lsn >= '$needed'::pg_lsn")"
expect 'rows, asked once more' 1 "$(sql "$standby" 'SELECT count(*) FROM rents')"
