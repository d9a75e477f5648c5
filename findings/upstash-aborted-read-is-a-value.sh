#!/usr/bin/env bash
# What most would guess: a read that is aborted rejects, as fetch does.
# What really happens: without auto-pipelining it resolves: to null after abort(), as if the key were missing, and to
#   the reason's text, decoded as if it were base64, after abort(reason). With auto-pipelining, the default, it
#   rejects, with a TypeError that says that res.map is no function.
# Version: @upstash/redis 1.39.0 (npm), against a stand-in for the REST API that answers after 300 ms.
# Source: Upstash documentation, "Redis SDK for TypeScript, Advanced: AbortSignal"; the client makes an answer of the
#   signal's reason.
# Who is hurt: those that bound reads with an AbortController: a slow cache reads as an empty one, or as a wrong
#   value.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

cd "$scratch"
npm install --silent --no-audit --no-fund @upstash/redis@1.39.0
npm ls --depth 0 | tail -n +2

node --input-type=module - >seen <<'JS'
import http from 'node:http';
import { Redis } from '@upstash/redis';
const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (data) => (body += data)).on('end', () => setTimeout(() => {
        const one = { result: Buffer.from('1200.50').toString('base64') };
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(request.url.includes('pipeline') ? JSON.parse(body).map(() => one) : one));
    }, 300));
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const url = `http://127.0.0.1:${server.address().port}`;
async function get(enableAutoPipelining, abort) {
    const controller = new AbortController();
    const redis = new Redis({ url, token: 'none', retry: false, enableAutoPipelining, signal: controller.signal });
    if (abort) setTimeout(() => controller.abort(...abort), 50);
    const read = redis.get('rent').then((value) => `value ${JSON.stringify(value)}`);
    console.log(await read.catch((error) => `${error.name}: ${error.message}`));
}
await get(false, undefined);
await get(false, []);
await get(false, ['ZGVhZGxpbmU=']);
await get(true, []);
server.closeAllConnections();
server.close();
JS
expect 'a read that is left alone' 'value "1200.50"' "$(sed -n 1p seen)"
expect 'aborted' 'value null' "$(sed -n 2p seen)"
expect 'aborted with the reason ZGVhZGxpbmU=' 'value "deadline"' "$(sed -n 3p seen)"
expect 'aborted, with auto-pipelining' 'TypeError: res.map is not a function' "$(sed -n 4p seen)"
