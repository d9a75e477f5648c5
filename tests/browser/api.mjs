// What the tests ask of the API, of PostgreSQL and of Redis beside the browser.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';

import { ADMIN_TOKEN, BASE_URL, TENANT, TENANT_TOKEN } from './harness.mjs';

/** Sends a request; the answer with its JSON. */
export async function ask(method, path, { token = TENANT_TOKEN, body } = {}) {
  const response = await fetch(`${BASE_URL}${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json');
  return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : null };
}

export const asAdmin = (method, path, body) => ask(method, path, { token: ADMIN_TOKEN, body });

/** The landlord's properties. */
export async function properties() {
  const answer = await ask('GET', '/api/properties?pageSize=50');
  assert.equal(answer.status, 200);
  return answer.body.items;
}

/** How the cache answered. */
export async function cacheStatus(path) {
  const answer = await ask('GET', path);
  assert.equal(answer.status, 200);
  return answer.headers.get('cache-status');
}

/** Replaces a property by what it is. */
export async function write(property) {
  const { rowVersion, ...body } = property;
  const answer = await ask('PUT', `/api/properties/${property.id}`, { body });
  assert.equal(answer.status, 200);
}

/** Does `send` again and again, with the number of the turn, until `run` has ended. */
export async function sendUntilDone(run, sends) {
  let isGoingOn = true;
  const workers = sends.map(async (send) => {
    for (let turn = 0; isGoingOn; turn += 1) await send(turn);
  });
  try {
    await run();
  } finally {
    isGoingOn = false;
    await Promise.all(workers);
  }
}

/** Reads and writes until `run` has ended: lists and single rows, hits and misses. */
export const underLoad = (all, run) =>
  sendUntilDone(
    run,
    [0, 7, 13].map((first) => async (turn) => {
      const property = all[(first + turn) % all.length];
      await ask('GET', `/api/properties/${property.id}`);
      if (turn % 5 === 0) await ask('GET', `/api/properties?pageNumber=${1 + (turn % 3)}&pageSize=5`);
      if (turn % 20 === 0) await write(property);
    }),
  );

/** Runs a statement as the database's superuser; what it answers. */
export const sql = (statement) =>
  execFileSync('psql', ['--no-psqlrc', '--tuples-only', '--no-align', '--set=ON_ERROR_STOP=1', '--command', statement], {
    encoding: 'utf8',
  }).trim();

/** Changes a property as a program that does not know of the cache. */
export const changeBehindTheApi = (id) =>
  sql(`UPDATE properties SET address = address || '!', row_version = row_version + 1 WHERE tenant_id = '${TENANT}' AND id = '${id}'`);

/** Leaves an invalidation of a property in the outbox, as a writer that died. */
export const leaveInOutbox = (id) =>
  sql(`INSERT INTO cache_invalidations (tenant_id, id, resources) VALUES ('${TENANT}', gen_random_uuid(), ARRAY['property:${id}'])`);

/** Sends Redis a command; what it answers, as it comes. */
export function redis(...words) {
  const { hostname, port } = new URL(process.env.REDIS_URL);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`);
    });
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.end();
      const answer = data.toString();
      return answer.startsWith('-') ? reject(new Error(answer)) : resolve(answer);
    });
  });
}

/** Spoils a property's entry in Redis. */
export async function spoil(id) {
  const keys = (await redis('SCAN', '0', 'MATCH', `*:property:${id}`, 'COUNT', '100000')).split('\r\n').filter((line) => line.includes('property:'));
  assert.equal(keys.length, 1, `the entry of ${id}`);
  await redis('SETRANGE', keys[0], '0', 'spoilt');
}
