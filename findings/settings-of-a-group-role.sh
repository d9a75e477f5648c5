#!/usr/bin/env bash
# What most would guess: ALTER ROLE of a group role sets a limit for all its members, as GRANT gives them its rights.
# What really happens: settings are not inherited: who logs in as a member has the server's default, and SET ROLE to
#   the group does not bring them either.
# Version: PostgreSQL 15 (Debian postgresql-15).
# Source: PostgreSQL manual, ALTER ROLE: settings are those of the role that logs in, set at the start of the session;
#   SET ROLE does not process them.
# Who is hurt: those that put statement_timeout or search_path on the one group that all applications are members of.
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

sql -d postgres -c 'CREATE ROLE renting NOLOGIN' -c "ALTER ROLE renting SET statement_timeout = '1500ms'" \
    -c 'CREATE ROLE web LOGIN IN ROLE renting'
web() { psql -h 127.0.0.1 -p "$port" -U web -qAtX -d postgres "$@"; }
expect 'statement_timeout of a member (0: none)' 0 "$(web -c 'SHOW statement_timeout')"
expect 'the same after SET ROLE to the group' 0 "$(web -c 'SET ROLE renting' -c 'SHOW statement_timeout')"
