#!/usr/bin/env bash
# What most would guess: an optional member of a key that is null or an empty list says as much as one that is left
#   out, and libraries agree on it.
# What really happens: jose finds no key in a set whose key has "key_ops": [], "use": null or "alg": "", and says that
#   none is applicable. PyJWT takes the same key.
# Version: jose 6.2.18 (npm), PyJWT 2.15.1 (PyPI).
# Source: RFC 7517, section 4 (use, key_ops and alg are optional; an empty list is not spoken of).
# Who is hurt: issuers whose serializer writes every member (.NET's does), and those that rotate keys after a test
#   with one library alone.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

cd "$scratch"
npm install --silent --no-audit --no-fund jose@6.2.18
npm ls --depth 0 | tail -n +2
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check pyjwt[crypto]==2.15.1
"$scratch/venv/bin/pip" freeze | grep -iE "^(pyjwt)=="

node --input-type=module - >made <<'JS'
import { generateKeyPair, exportJWK, SignJWT } from 'jose';
const { publicKey, privateKey } = await generateKeyPair('ES256');
console.log(JSON.stringify(await exportJWK(publicKey)));
console.log(await new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid: 'k' }).sign(privateKey));
JS
expect 'jose' '{} taken, {"key_ops":[]} ERR_JWKS_NO_MATCHING_KEY, {"use":null} ERR_JWKS_NO_MATCHING_KEY, {"alg":""} ERR_JWKS_NO_MATCHING_KEY' \
    "$(node --input-type=module - <<'JS'
import { readFileSync } from 'node:fs';
import { createLocalJWKSet, jwtVerify } from 'jose';
const [key, token] = readFileSync('made', 'utf8').split('\n');
const seen = [];
for (const member of [{}, { key_ops: [] }, { use: null }, { alg: '' }]) {
    const keys = createLocalJWKSet({ keys: [{ ...JSON.parse(key), kid: 'k', ...member }] });
    const outcome = await jwtVerify(token, keys).then(() => 'taken', (error) => error.code);
    seen.push(`${JSON.stringify(member)} ${outcome}`);
}
console.log(seen.join(', '));
JS
)"
expect 'PyJWT' '{} taken, {"key_ops": []} taken, {"use": null} taken, {"alg": ""} taken' "$(venv/bin/python - <<'PY'
import json, jwt
key, token = open("made").read().split()
seen = []
for member in [{}, {"key_ops": []}, {"use": None}, {"alg": ""}]:
    keys = jwt.PyJWKSet.from_dict({"keys": [{**json.loads(key), "kid": "k", **member}]})
    jwt.decode(token, keys["k"], algorithms=["ES256"])
    seen.append(f"{json.dumps(member)} taken")
print(", ".join(seen))
PY
)"
