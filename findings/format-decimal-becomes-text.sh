#!/usr/bin/env bash
# What most would guess: type number with format decimal has a generator take a decimal type, and nothing changes on
#   the wire.
# What really happens: the model that datamodel-code-generator makes of it has a Decimal, and pydantic writes a
#   Decimal as JSON text: what was read as 1200.50 is sent back as "1200.5", which the same document refuses.
# Version: datamodel-code-generator 0.89.0, pydantic 2.14.4 (PyPI).
# Source: pydantic documentation, "Conversion Table" and "Serialization" (Decimal is a string in JSON mode); OpenAPI
#   format registry, "decimal".
# Who is hurt: Python clients that are generated from a document that means well by money: every write of theirs is
#   refused.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check datamodel-code-generator==0.89.0 pydantic==2.14.4
"$scratch/venv/bin/pip" freeze | grep -iE "^(datamodel-code-generator|pydantic)=="

cd "$scratch"
cat >api.json <<'JSON'
{"openapi": "3.1.0", "info": {"title": "rents", "version": "1"}, "paths": {}, "components": {"schemas": {
    "Rent": {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "number", "format": "decimal"}}}}}}
JSON
venv/bin/datamodel-codegen --input api.json --input-file-type openapi --output-model-type pydantic_v2.BaseModel \
    --output rents.py 2>generator.log
expect 'the generated member' 'amount: Decimal' "$(grep -o 'amount: .*' rents.py)"
expect 'what was {"amount": 1200.50}, sent back' '{"amount":"1200.5"}' "$(venv/bin/python - <<'PY'
from rents import Rent
print(Rent.model_validate_json('{"amount": 1200.50}').model_dump_json())
PY
)"
