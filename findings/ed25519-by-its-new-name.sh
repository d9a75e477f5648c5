#!/usr/bin/env bash
# What most would guess: Ed25519 (RFC 9864) is another name for what EdDSA with that curve was, so a key with the one
#   serves a token with the other.
# What really happens: PyJWT finds no usable key in a set whose key says "alg": "Ed25519", and supposes that
#   cryptography is missing. jose knows both names and takes neither for the other.
# Version: PyJWT 2.15.1 (PyPI), jose 6.2.18 (npm).
# Source: RFC 9864, 2.2 (Ed25519) and 4.1.2 (EdDSA is deprecated, as it does not say which curve).
# Who is hurt: issuers that move to the name that the RFC asks for: clients of the one library lose all keys, those of
#   the other as long as tokens and keys differ.
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

expect 'jose, with tokens and keys of both names' \
    'EdDSA/EdDSA taken, EdDSA/Ed25519 ERR_JWKS_NO_MATCHING_KEY, Ed25519/EdDSA ERR_JWKS_NO_MATCHING_KEY, Ed25519/Ed25519 taken' \
    "$(node --input-type=module - <<'JS'
import { writeFileSync } from 'node:fs';
import { generateKeyPair, exportJWK, SignJWT, createLocalJWKSet, jwtVerify } from 'jose';
const { publicKey, privateKey } = await generateKeyPair('Ed25519');
const key = await exportJWK(publicKey);
writeFileSync('key', JSON.stringify({ ...key, kid: 'k', alg: 'Ed25519' }));
const seen = [];
for (const ofToken of ['EdDSA', 'Ed25519']) {
    for (const ofKey of ['EdDSA', 'Ed25519']) {
        const token = await new SignJWT({}).setProtectedHeader({ alg: ofToken, kid: 'k' }).sign(privateKey);
        const keys = createLocalJWKSet({ keys: [{ ...key, kid: 'k', alg: ofKey }] });
        seen.push(`${ofToken}/${ofKey} ${await jwtVerify(token, keys).then(() => 'taken', (error) => error.code)}`);
    }
}
console.log(seen.join(', '));
JS
)"
expect 'PyJWT' "The JWK Set did not contain any usable keys. Perhaps 'cryptography' is not installed?" "$(venv/bin/python - <<'PY'
import json, jwt
try:
    print(jwt.PyJWKSet.from_dict({"keys": [json.load(open("key"))]}).keys)
except jwt.PyJWKSetError as error:
    print(error)
PY
)"
