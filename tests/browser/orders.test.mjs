// Each order does what it says on the real stack.

import assert from 'node:assert/strict';

import { asAdmin, cacheStatus, changeBehindTheApi, leaveInOutbox, properties, sql } from './api.mjs';
import { TENANT, fact, onConsole, shows, until } from './harness.mjs';

const form = (page, order) => page.locator(`form[data-order=${order}]`);

/** Gives an order by its form, and confirms it; its answer. */
async function order(page, name, fields = {}) {
  const place = form(page, name);
  for (const [label, value] of Object.entries(fields)) await place.getByLabel(label).fill(value);
  await place.getByRole('button', { name: '…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  const request = await dialog.locator('code').textContent();
  await dialog.getByRole('button', { name: 'Send the order' }).click();
  await shows(place.locator('output'), /Done\.|Refused|No answer/);
  const text = (await place.locator('output').textContent()) ?? '';
  const names = await place.locator('dt').allTextContents();
  const values = await place.locator('dd').allTextContents();
  return { request, text, answer: Object.fromEntries(names.map((it, index) => [it, values[index]])) };
}

const breaker = async () => (await asAdmin('GET', '/api/cache/breaker')).body;

onConsole('the breaker is ordered open and back, and its changes are noted with their reasons', async (page) => {
  const changes = page.locator('#changes tr');
  await changes.first().waitFor();
  await form(page, 'breaker').getByLabel('Mode').selectOption('forced_open');
  const { request, answer } = await order(page, 'breaker');
  assert.equal(request, 'PUT /api/cache/breaker {"mode":"forced_open"}');
  assert.equal(answer.mode, 'forced_open');
  assert.equal((await breaker()).state, 'open');
  await shows(fact(page, 'Breaker'), /^open, forced open/);
  await shows(changes.first(), /openforced open\d+an operator took the cache out of use/);

  await form(page, 'breaker').getByLabel('Mode').selectOption('auto');
  await order(page, 'breaker');
  await until('closed', async () => (await breaker()).state === 'closed');
  await shows(changes.first(), /closedauto/);
  assert.ok((await changes.count()) >= 3);
});

onConsole('draining tells Redis of what a writer left', async (page) => {
  const [{ id }] = await properties();
  leaveInOutbox(id);
  const { text, answer } = await order(page, 'drain');
  assert.ok(Number(answer.drained) >= 1, text);
  assert.equal(answer.left, '0');
  assert.equal(sql('SELECT count(*) FROM cache_invalidations'), '0');
});

onConsole('a purge removes the values of its pattern', async (page) => {
  const [{ id }] = await properties();
  const path = `/api/properties/${id}`;
  await until('a hit', async () => /hit/.test(await cacheStatus(path)));
  const { request, answer } = await order(page, 'purge', { Pattern: `property:${id}`, Landlord: TENANT });
  assert.equal(request, `DELETE /api/cache?pattern=property%3A${id}&tenant=${TENANT}`);
  assert.equal(answer.removed, '1');
  assert.match(await cacheStatus(path), /fwd=miss/);
});

onConsole('warming fills what was purged', async (page) => {
  await order(page, 'purge', { Pattern: '*', Landlord: TENANT });
  const { text, answer } = await order(page, 'warm', { 'Landlords, separated': TENANT });
  assert.ok(Number(answer.warmed) >= 1, text);
  assert.match(await cacheStatus('/api/properties'), /hit/);
});

onConsole('a verification finds what was changed behind the API', async (page) => {
  const [{ id }] = await properties();
  await until('a hit', async () => /hit/.test(await cacheStatus(`/api/properties/${id}`)));
  changeBehindTheApi(id);
  const { text, answer } = await order(page, 'verify', { 'Entries to compare': '1000', 'Landlord; none': TENANT });
  assert.ok(Number(answer.checked) > Number(answer.inconsistent), text);
  assert.equal(answer['why.unknown'], answer.inconsistent);
  assert.ok(Number(answer.inconsistent) >= 1, text);
  assert.match(await cacheStatus(`/api/properties/${id}`), /fwd=miss/);
});

onConsole('what is cancelled is not sent, and what is refused is told', async (page, { requests }) => {
  const sent = () => requests.filter((url) => url.includes('/api/cache?')).length;
  const place = form(page, 'purge');
  await place.getByLabel('Landlord').fill(TENANT);
  await place.getByLabel('Pattern').fill('*****');
  for (const leave of [() => page.getByRole('button', { name: 'Cancel' }).click(), () => page.keyboard.press('Escape')]) {
    await place.getByRole('button', { name: 'Purge…' }).click();
    await page.getByRole('dialog').waitFor();
    await leave();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
  }
  assert.equal(sent(), 0);
  const { text } = await order(page, 'purge');
  assert.match(text, /Refused: 400 Bad Request.*pattern must have at most/);
  assert.equal(sent(), 1);
});
