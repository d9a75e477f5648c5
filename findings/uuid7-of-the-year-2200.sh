#!/usr/bin/env bash
# What most would guess: ids of version 7 sort by the time at which they were made, whichever library made them.
# What really happens: the PyPI package uuid7 makes ids that say version 7 and follow an early draft, with seconds and
#   fractions where RFC 9562 has milliseconds: read by the RFC they are of the year 2203, and they do not sort with
#   those of any other library.
# Version: uuid7 0.1.0, uuid6 2025.0.1 (PyPI).
# Source: RFC 9562, 5.7: the first 48 bits are milliseconds since 1970.
# Who is hurt: those that page or partition by id: rows of one writer lie apart from those of all others, for good.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check uuid7==0.1.0 uuid6==2025.0.1
"$scratch/venv/bin/pip" freeze | grep -iE "^(uuid7|uuid6)=="

expect 'century by RFC 9562 of ids made now, and their version' 'uuid6: 20 7, uuid7: 22 7' "$("$scratch/venv/bin/python" - <<'PY'
import datetime, uuid6, uuid_extensions
def told(id):
    at = datetime.datetime.fromtimestamp((id.int >> 80) / 1000, datetime.timezone.utc)
    return f"{at.year // 100} {id.version}"
print(f"uuid6: {told(uuid6.uuid7())}, uuid7: {told(uuid_extensions.uuid7())}")
PY
)"
expect 'whether an id made first sorts first' False "$("$scratch/venv/bin/python" - <<'PY'
import uuid6, uuid_extensions
# What sorts by one package sorts the other way by the other: one of the two orders is wrong, whatever the time is.
first, second = uuid_extensions.uuid7(), uuid6.uuid7()
third = uuid_extensions.uuid7()
print(first.bytes < second.bytes < third.bytes)
PY
)"
