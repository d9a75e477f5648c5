#!/usr/bin/env bash
# What most would guess: PostgreSQL stores 9999-12-31T23:59:59.9999999Z, the greatest date of .NET as .NET writes it,
#   as the last microsecond of the year 9999: it has six digits where the text has seven.
# What really happens: it rounds to the nearest microsecond, and the row holds the year 10000. A time becomes 24:00:00.
#   JavaScript, Python and the cast to date cut the digit off: for them the same text is the year 9999.
# Version: PostgreSQL 15 (Debian postgresql-15), Python 3.11, Node.js 20.
# Source: datetime.c: ParseFractionalSecond reads a double and rounds it; PostgreSQL manual, 8.5 "Date/Time Types", says
#   only that there are six digits.
# Who is hurt: those that write "valid for ever" as that date: JavaScript cannot read the JSON of the row. And a price
#   that ends with the last tick of a year ends in the next one.
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

export TZ=UTC PGTZ=UTC
python3 --version
node --version
last=9999-12-31T23:59:59.9999999Z
cat >read.py <<'PY'
import datetime, sys
print(datetime.datetime.fromisoformat(sys.argv[1]).year)
PY
expect 'PostgreSQL' '10000-01-01 00:00:00+00' "$(sql -d postgres -c "SELECT timestamptz '$last'")"
expect 'PostgreSQL, a time' '24:00:00' "$(sql -d postgres -c "SELECT time '23:59:59.9999999'")"
expect 'PostgreSQL, as JSON' '"10000-01-01T00:00:00+00:00"' "$(sql -d postgres -c "SELECT to_json(timestamptz '$last')")"
expect 'PostgreSQL, cast to date at once, and after timestamptz' '2024-12-31 2025-01-01' "$(sql -d postgres -F ' ' \
    -c "SELECT date '2024-12-31T23:59:59.9999999Z', timestamptz '2024-12-31T23:59:59.9999999Z'::date")"
expect 'Python' 9999 "$(python3 read.py "$last")"
expect 'JavaScript' '9999-12-31T23:59:59.999Z' "$(node -p "new Date('$last').toISOString()")"
expect 'JavaScript, on what PostgreSQL answers' 'Invalid Date' "$(node -p "String(new Date('10000-01-01T00:00:00+00:00'))")"
