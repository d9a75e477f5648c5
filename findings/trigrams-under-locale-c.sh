#!/usr/bin/env bash
# What most would guess: in a UTF-8 database pg_trgm makes trigrams of every letter; and where ICU is the provider of
#   the locale, LC_CTYPE does not matter.
# What really happens: with LC_CTYPE C no letter but ASCII's is one to pg_trgm: a text in Greek or Japanese has no
#   trigrams, and an index of it finds nothing to narrow by. That holds in an ICU database too, where lower and ILIKE
#   do know those letters.
# Version: PostgreSQL 15 with pg_trgm (Debian postgresql-15).
# Source: PostgreSQL manual, appendix F, "pg_trgm"; trgm_op.c asks the C library, by the LC_CTYPE of the database,
#   what a letter is.
# Who is hurt: those whose databases were made by a container or an operator with the locale C: searches stay right
#   and become sequential.
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

trigrams() { sql -d "$1" -c 'CREATE EXTENSION pg_trgm' -c "SELECT cardinality(show_trgm('Λάρισα 東京'))"; }
sql -d postgres -c "CREATE DATABASE c TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'" \
    -c "CREATE DATABASE icu TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'und'"
expect 'trigrams of two words, with LC_CTYPE C.UTF-8' 10 "$(trigrams postgres)"
expect 'with LC_CTYPE C' 0 "$(trigrams c)"
expect 'with LC_CTYPE C in an ICU database' 0 "$(trigrams icu)"
expect 'which knows the letters elsewhere: ILIKE' t "$(sql -d icu -c "SELECT 'ΛΆΡΙΣΑ' ILIKE 'λάρισα'")"
