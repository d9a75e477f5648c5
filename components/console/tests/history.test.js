import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MAX_CHANGES, withChange } from '../assets/breaker.js';
import { History, SPAN_SECONDS, WINDOW_MS } from '../assets/history.js';
import { point } from '../assets/rates.js';
import { reading } from '../assets/reading.js';

/** @param {number} at in seconds */
const pointAt = (at) => point(undefined, reading([], at * 1000), null);

test('points of 15 minutes are kept, and no others', () => {
  assert.equal(SPAN_SECONDS, 900);
  const history = new History();
  for (let at = 0; at <= 2 * SPAN_SECONDS; at += 2) history.add(pointAt(at));
  assert.equal(history.length, SPAN_SECONDS / 2 + 1);
  const [times] = history.columns([]);
  assert.equal(times[0], SPAN_SECONDS);
  assert.equal(times.at(-1), 2 * SPAN_SECONDS);
});

test('rates are taken from the oldest reading within the window', () => {
  const history = new History();
  for (let at = 0; at <= 20_000; at += 2_000) history.keep(reading([], at));
  assert.equal(history.before(21_000)?.at, 12_000);
  assert.equal(history.before(12_000 + WINDOW_MS)?.at, 12_000);
  assert.equal(history.before(99_000)?.at, 20_000, 'a page in the background is asked for seldom');
  assert.equal(new History().before(0), undefined);
});

test('a gap has no value in any line', () => {
  const history = new History();
  history.addGap(1);
  assert.equal(history.length, 0, 'nothing was known before it');
  history.add({ ...pointAt(2), requests: 5 });
  history.addGap(4);
  assert.deepEqual(history.columns(['requests']), [[2, 4], [5, null]]);
});

test('the table has a row a minute, the newest first', () => {
  const history = new History();
  for (let at = 0; at <= 180; at += 2) history.add(pointAt(at));
  assert.deepEqual(history.rows().map(({ at }) => at), [180, 120, 60, 0]);
});

const CLOSED = {
  state: 'closed', mode: 'auto', since: '2026-01-01T10:00:00Z', retryAt: null, reason: 'a probe', failedProbes: 0,
  isSuspected: false, epoch: 3,
};

test('a change of state, mode, reason or epoch is noted once', () => {
  let changes = withChange([], CLOSED, 'now');
  assert.deepEqual(changes, [{ at: CLOSED.since, state: 'closed', mode: 'auto', reason: 'a probe', epoch: 3 }]);
  assert.equal(withChange(changes, { ...CLOSED, failedProbes: 2 }, 'later'), changes);
  const open = { ...CLOSED, state: 'open', since: '2026-01-01T10:05:00Z', reason: 'Redis does not answer' };
  changes = withChange(changes, open, 'later');
  assert.deepEqual(changes.map(({ at, state }) => [at, state]), [[open.since, 'open'], [CLOSED.since, 'closed']]);
  // The state's beginning is not when another mode was ordered.
  changes = withChange(changes, { ...open, mode: 'observe' }, 'later still');
  assert.deepEqual([changes[0].at, changes[0].mode], ['later still', 'observe']);
});

test('the last changes are kept', () => {
  let changes = withChange([], CLOSED, 'now');
  for (let epoch = 0; epoch < 2 * MAX_CHANGES; epoch += 1) changes = withChange(changes, { ...CLOSED, epoch }, 'now');
  assert.equal(changes.length, MAX_CHANGES);
  assert.equal(changes[0].epoch, 2 * MAX_CHANGES - 1);
});
