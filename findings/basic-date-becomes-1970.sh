#!/usr/bin/env bash
# What most would guess: 20240131, the basic form of ISO 8601, is read as the last of January 2024, as Python itself
#   does since 3.11, or is refused.
# What really happens: pydantic takes digits alone for seconds since 1970: 20240131 is a day in August 1970. As a date
#   it is refused with words that speak of a time of day.
# Version: pydantic 2.14.4 (PyPI), Python 3.11 or newer.
# Source: ISO 8601-1:2019, 5.2.2.1 (basic format); pydantic documentation, "Datetimes" (text of digits is a Unix
#   timestamp).
# Who is hurt: those that stand with FastAPI between banks' exports, which write dates so, and an API of payments: a
#   wrong date is stored, not an error.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check pydantic==2.14.4
"$scratch/venv/bin/pip" freeze | grep -iE "^(pydantic)=="

expect 'Python, then pydantic' '2024-01-31 1970-08-23' "$("$scratch/venv/bin/python" - <<'PY'
import datetime, pydantic
text = "20240131"
print(datetime.datetime.fromisoformat(text).date(), pydantic.TypeAdapter(datetime.datetime).validate_python(text).date())
PY
)"
expect 'pydantic, asked for a date' date_from_datetime_inexact "$("$scratch/venv/bin/python" - <<'PY'
import datetime, pydantic
try:
    print(pydantic.TypeAdapter(datetime.date).validate_python("20240131"))
except pydantic.ValidationError as error:
    print(error.errors()[0]["type"])
PY
)"
