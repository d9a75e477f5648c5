#!/usr/bin/env bash
# What most would guess: multipleOf 0.01 in a JSON schema says that an amount has whole cents.
# What really happens: validators divide binary floats: of the 200,000 amounts from 0.01 to 2000.00, all of them whole
#   cents, two widespread validators refuse 22,854.
# Version: ajv 8.20.0 (npm), jsonschema 4.26.0 (PyPI).
# Source: JSON Schema 2020-12, Validation, 6.2.1: valid "if division by this keyword's value results in an integer",
#   and says nothing of floats.
# Who is hurt: those that publish such a schema: clients made or guarded by it refuse valid money, their own and the
#   server's.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check jsonschema==4.26.0
"$scratch/venv/bin/pip" freeze | grep -iE "^(jsonschema)=="
cd "$scratch"
npm install --silent --no-audit --no-fund ajv@8.20.0
npm ls --depth 0 | tail -n +2

expect 'amounts that jsonschema refuses' 22854 "$(venv/bin/python - <<'PY'
import json, jsonschema
validator = jsonschema.Draft202012Validator({"type": "number", "multipleOf": 0.01})
print(sum(not validator.is_valid(json.loads(f"{cents // 100}.{cents % 100:02}")) for cents in range(1, 200_001)))
PY
)"
expect 'amounts that ajv refuses' 22854 "$(node --input-type=module - <<'JS'
import Ajv from 'ajv/dist/2020.js';
const valid = new Ajv().compile({ type: 'number', multipleOf: 0.01 });
let refused = 0;
for (let cents = 1; cents <= 200000; cents++) {
    if (!valid(JSON.parse(`${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`))) refused++;
}
console.log(refused);
JS
)"
