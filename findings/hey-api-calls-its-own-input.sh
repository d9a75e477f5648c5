#!/usr/bin/env bash
# What most would guess: a client made from a document without `servers` calls the address that it is told, or `/`, which
#   is what OpenAPI says a document without them means.
# What really happens: @hey-api/openapi-ts writes the path of its input file into the client as the base URL, and the
#   first request goes to `openapi.json/leases`. With `servers: [{"url": "/"}]` it is `/`.
# Version: @hey-api/openapi-ts 0.99.0, typescript 5.9.3 (npm).
# Source: OpenAPI 3.1.0, "OpenAPI Object", servers ("the default value would be a Server Object with a url value of /");
#   heyapi.dev, "Fetch API client", Configuration (baseUrl).
# Who is hurt: those that generate from a file in their repository: it compiles, and each request is an error, or in a
#   browser a page that is not found below the current one.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

cd "$scratch"
npm install --silent --no-audit --no-fund --ignore-scripts @hey-api/openapi-ts@0.99.0 typescript@5.9.3
npm ls --depth=0 | grep -o '[a-z@/-]*@[0-9.]*$'

cat >openapi-ts.config.mjs <<'JS'
export default {
  input: "openapi.json",
  output: { path: "client", module: { extension: ".js" } },
  plugins: ["@hey-api/client-fetch", "@hey-api/typescript", "@hey-api/sdk"],
};
JS
cat >call.ts <<'TS'
import { listLeases } from "./client/sdk.gen.js";
try {
  const { error } = await listLeases();
  console.log((error as Error).message);
} catch (error) {
  console.log((error as Error).message);
}
TS
echo '{"type": "module"}' >package.json
# asked SERVERS: what the client of a document with these members says to its first request, where there is no page to start from.
asked() {
    printf '{"openapi": "3.1.0", "info": {"title": "leases", "version": "1"}, %s "paths": {"/leases": {"get": {%s}}}}' "$1" \
        '"operationId": "listLeases", "responses": {"204": {"description": "None"}}' >openapi.json
    node node_modules/@hey-api/openapi-ts/bin/run.js --silent --no-log-file
    node node_modules/typescript/bin/tsc --target es2022 --lib es2022,dom,dom.iterable --module nodenext --strict --skipLibCheck \
        --outDir compiled call.ts
    node compiled/call.js
}
expect 'without servers' 'Failed to parse URL from openapi.json/leases' "$(asked '')"
expect 'with the server /' 'Failed to parse URL from /leases' "$(asked '"servers": [{"url": "/"}],')"
