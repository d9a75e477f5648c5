#!/usr/bin/env bash
# What most would guess: lower(upper(x)) compares text without case as Unicode's case folding does, with ICU at least.
# What really happens: with ICU it makes ß of the letter ẞ and ss of the letter ß, so a capital letter and its own
#   small letter differ, though lower(x) alone makes them equal. With C.UTF-8 ß and ss differ. With both, the Turkish
#   ı is an i. Python's casefold makes ss of all three, and keeps ı apart.
# Version: PostgreSQL 15 (Debian postgresql-15), Python 3.11.
# Source: Unicode, CaseFolding.txt (1E9E and 00DF fold to "ss", 0131 to itself) and SpecialCasing.txt (the capital of
#   00DF is "SS", and 1E9E is its own capital).
# Who is hurt: those with a unique index on lower(upper(name)): it lets two spellings of one name through, and takes
#   two names for one.
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

export PGCLIENTENCODING=UTF8 PYTHONUTF8=1
python3 --version
folded() { sql -d postgres -F ' ' -v how="$1" <<'SQL'
SELECT lower(upper('ẞ' COLLATE :"how")), lower(upper('ß' COLLATE :"how")), lower(upper('ss' COLLATE :"how")),
    lower(upper('ı' COLLATE :"how")), lower(upper('i' COLLATE :"how"));
SQL
}
expect 'lower(upper()) of ẞ ß ss ı i, ICU' 'ß ss ss i i' "$(folded und-x-icu)"
expect 'lower(upper()) of ẞ ß ss ı i, C.UTF-8' 'ß ß ss i i' "$(folded C.utf8)"
expect 'lower() of ẞ ß, ICU' 'ß ß' "$(sql -d postgres -F ' ' \
    -c "SELECT lower('ẞ' COLLATE \"und-x-icu\"), lower('ß' COLLATE \"und-x-icu\")")"
expect 'casefold of ẞ ß ss ı i, Python' 'ss ss ss ı i' "$(python3 -c 'print(*map(str.casefold, "ẞ ß ss ı i".split()))')"
