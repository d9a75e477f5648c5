#!/usr/bin/env bash
# What most would guess: a standby is behind its primary, so whoever has seen a row on a standby sees it on the primary too, and a
#   "read your own reads" token has to be checked on standbys alone.
# What really happens: with synchronous replication a commit is in the WAL, and replayed by every standby that is connected, before
#   the primary lets anybody see it: the primary first waits for the standby that it was told to wait for. A client that reads a
#   standby and then the primary goes back in time, for as long as that wait lasts.
# Version: PostgreSQL 15 (Debian postgresql-15).
# Source: PostgreSQL manual, 27.2.8 "Synchronous Replication"; xact.c: RecordTransactionCommit waits in SyncRepWaitForLSN before
#   ProcArrayEndTransaction makes the transaction visible.
# Who is hurt: those that send reads to standbys and send a session to the primary when in doubt, proxies and "sticky" routers among them.
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

sql "$primary" 'CREATE TABLE rents (amount numeric(12, 2))'
"${as[@]}" "$programs/pg_basebackup" -h 127.0.0.1 -p "$primary" -U postgres -D standby -R -X stream -c fast >backup.log
start standby "$standby"
await 'the standby follows' 1 "$primary" "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
# The primary waits for another standby, which is on its way.
sql "$primary" "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (another)'"
sql "$primary" 'SELECT pg_reload_conf()' >reload.log
await 'the setting' 'ANY 1 (another)' "$primary" 'SHOW synchronous_standby_names'
sql "$primary" 'INSERT INTO rents VALUES (1200.50)' >writer.log 2>&1 &
writer=$!
await 'the row on the standby' 1 "$standby" 'SELECT count(*) FROM rents'
expect 'rows on the standby' 1 "$(sql "$standby" 'SELECT count(*) FROM rents')"
expect 'rows on the primary, asked after that' 0 "$(sql "$primary" 'SELECT count(*) FROM rents')"
sql "$primary" 'ALTER SYSTEM RESET synchronous_standby_names'
sql "$primary" 'SELECT pg_reload_conf()' >reload.log
wait "$writer"
expect 'rows on the primary, when nothing is waited for' 1 "$(sql "$primary" 'SELECT count(*) FROM rents')"
