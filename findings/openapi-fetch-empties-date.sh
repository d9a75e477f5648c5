#!/usr/bin/env bash
# What most would guess: the transform that openapi-typescript's guide gives for `date-time` has openapi-fetch answer with
#   a Date, whose methods can be called: the types are made for each other.
# What really happens: openapi-fetch maps every object of an answer, a Date as well, to one whose members are mapped in
#   turn, and a method is an object: `getTime` has the type `{}`, cannot be called, and the answer is no Date. It is so
#   for every class (Temporal, Big), and for a branded string.
# Version: openapi-fetch 0.17.0, openapi-typescript-helpers 0.1.0, openapi-typescript 7.13.0, typescript 5.9.3 (npm).
# Source: openapi-ts.dev, "Node.js API", "Example: Date types"; `Readable` in openapi-typescript-helpers, which takes
#   members out that are only for writing, and is applied to all answers.
# Who is hurt: those that have dates or decimals in their types: what compiled with an earlier version no longer does,
#   and those that cast lose what the types were for.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

cd "$scratch"
npm install --silent --no-audit --no-fund --ignore-scripts openapi-fetch@0.17.0 openapi-typescript-helpers@0.1.0 \
    openapi-typescript@7.13.0 typescript@5.9.3
npm ls --depth=0 | grep -o '[a-z-]*@[0-9.]*$'

cat >api.json <<'JSON'
{"openapi": "3.1.0", "info": {"title": "leases", "version": "1"}, "paths": {"/lease": {"get": {"responses": {"200": {
    "description": "A lease", "content": {"application/json": {"schema": {"type": "object", "required": ["since"],
        "properties": {"since": {"type": "string", "format": "date-time"}}}}}}}}}}}
JSON
cat >generate.mjs <<'JS'
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";
const date = ts.factory.createTypeReferenceNode(ts.factory.createIdentifier("Date"));
const transform = (schema) => (schema.format === "date-time" ? date : undefined);
await writeFile("schema.ts", astToString(await openapiTS(JSON.parse(await readFile("api.json", "utf8")), { transform })));
JS
node generate.mjs
expect 'the generated member' 'since: Date;' "$(grep -o 'since: .*' schema.ts)"

cat >use.ts <<'TS'
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";
const { data } = await createClient<paths>().GET("/lease");
if (data) console.log(data.since.getTime());
TS
echo '{"type": "module"}' >package.json
cat >tsconfig.json <<'JSON'
{"compilerOptions": {"target": "es2022", "module": "nodenext", "strict": true, "noEmit": true, "types": []}, "files": ["use.ts"]}
JSON
expect 'data.since.getTime()' 'error TS2349: This expression is not callable.' \
    "$(node node_modules/typescript/bin/tsc --pretty false | grep -o 'error TS.*')"
