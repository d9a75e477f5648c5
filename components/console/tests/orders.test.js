import assert from 'node:assert/strict';
import { test } from 'node:test';

import { members, next, ORDERS, request } from '../assets/orders.js';

/** @param {string} name @param {Record<string, string>} fields */
const shown = (name, fields = {}) => request(ORDERS[name](fields));

test('each order is the request that the API takes', () => {
  assert.equal(shown('breaker', { mode: 'forced_open' }), 'PUT /api/cache/breaker {"mode":"forced_open"}');
  assert.equal(shown('drain'), 'POST /api/cache/drain');
  assert.equal(shown('purge', { pattern: 'property:*', tenant: 'a b' }), 'DELETE /api/cache?pattern=property%3A*&tenant=a+b');
  assert.equal(shown('warm', { tenants: ' a, b,', hours: '24' }), 'POST /api/cache/warm {"tenants":["a","b"]}');
  assert.equal(shown('warm', { tenants: '', hours: '24' }), 'POST /api/cache/warm {"activeWithinHours":24}');
  assert.equal(shown('verify', { sample: '5', tenant: '' }), 'POST /api/cache/verify {"sample":5}');
  assert.equal(shown('verify', { sample: '5', tenant: 'a' }), 'POST /api/cache/verify {"sample":5,"tenant":"a"}');
});

test('an order says what it does', () => {
  for (const mode of ['auto', 'forced_open', 'forced_closed', 'observe']) {
    assert.ok(ORDERS.breaker({ mode }).text.length > 20, mode);
  }
});

test('an order goes on where its answer says that it stopped', () => {
  const purge = ORDERS.purge({ pattern: '*', tenant: 'a' });
  const more = next(purge, { removed: 3, cursor: '17' });
  assert.equal(more && request(more), 'DELETE /api/cache?pattern=*&tenant=a&cursor=17');
  const last = more && next(more, { removed: 3, cursor: '18' });
  assert.equal(last && request(last), 'DELETE /api/cache?pattern=*&tenant=a&cursor=18');
  const warm = next(ORDERS.warm({ tenants: 'a', hours: '1' }), { done: false, cursor: 'x' });
  assert.deepEqual(warm?.body, { tenants: ['a'], cursor: 'x' });
  assert.equal(next(purge, { removed: 3 }), null);
});

test('members of members are shown behind their name', () => {
  const answer = { checked: 2, why: { unknown: 1 }, retryAt: null };
  assert.deepEqual(members(answer), [['checked', '2'], ['why.unknown', '1'], ['retryAt', '–']]);
});
