// Each chart moves under load.

import assert from 'node:assert/strict';

import { ask, asAdmin, changeBehindTheApi, properties, sendUntilDone, spoil, underLoad, write } from './api.mjs';
import { onConsole, shows, until } from './harness.mjs';

const values = (page, chart) => page.locator(`#chart-${chart} .values b`);
/** What is drawn. */
const picture = (page, chart) => page.locator(`#chart-${chart} canvas`).evaluate((canvas) => canvas.toDataURL());
/** How many points of lines a chart has drawn in a colour other than its axes'. */
const drawn = (page, chart) =>
  page.locator(`#chart-${chart} canvas`).evaluate((canvas, variable) => {
    const context = canvas.getContext('2d');
    const probe = document.createElement('canvas').getContext('2d');
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
    probe.fillRect(0, 0, 1, 1);
    const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] === red && data[at + 1] === green && data[at + 2] === blue && data[at + 3] === 255) count += 1;
    }
    return count;
  }, '--series-0');

/** Under load a chart draws its first line, and its values are as wanted. */
async function moves(page, chart, before, ...patterns) {
  for (const [index, pattern] of patterns.entries()) await shows(values(page, chart).nth(index), pattern);
  await until(`${chart} is drawn`, async () => (await drawn(page, chart)) > 20);
  assert.notEqual(await picture(page, chart), before, chart);
}

const SOME = /^(?!0\.0$)\d/;
const MS = /^\d+(\.\d)? ms$/;

onConsole('requests, hits, latency and servers move under load', async (page) => {
  const charts = ['requests', 'hits', 'latency', 'servers', 'instances'];
  await page.locator('#chart-requests canvas').waitFor();
  const before = Object.fromEntries(await Promise.all(charts.map(async (chart) => [chart, await picture(page, chart)])));
  await underLoad(await properties(), async () => {
    await moves(page, 'requests', before.requests, SOME, /^0\.0$/);
    await moves(page, 'hits', before.hits, /^\d+(\.\d)? %$/, /^[1-9]\d*(\.\d)? %$/);
    await moves(page, 'latency', before.latency, MS, MS, MS);
    await moves(page, 'servers', before.servers, MS, MS);
    await moves(page, 'instances', before.instances, /^[1-9]/, /^1$/);
  });
});

onConsole('the breaker’s chart and the outbox’s follow an order and the writes after it', async (page) => {
  const [property] = await properties();
  await page.locator('#chart-outbox canvas').waitFor();
  const before = [await picture(page, 'breaker'), await picture(page, 'outbox')];
  await shows(values(page, 'breaker').first(), /^closed$/);
  await asAdmin('PUT', '/api/cache/breaker', { mode: 'forced_open' });
  await moves(page, 'breaker', before[0], /^open$/);
  await write(property);
  await moves(page, 'outbox', before[1], /^[1-9]/);
  await asAdmin('PUT', '/api/cache/breaker', { mode: 'auto' });
  await shows(values(page, 'breaker').first(), /^closed$/);
  await shows(values(page, 'outbox').first(), /^0$/);
});

onConsole('the chart of entries shows checks, what is rejected and what is stale', async (page) => {
  const [property] = await properties();
  const path = `/api/properties/${property.id}`;
  await page.locator('#chart-entries canvas').waitFor();
  const before = await picture(page, 'entries');
  const readIt = async () => {
    await moves(page, 'entries', before, SOME);
    changeBehindTheApi(property.id);
    await shows(values(page, 'entries').nth(2), SOME);
  };
  await sendUntilDone(readIt, [() => ask('GET', path)]);
  await ask('GET', path);
  await spoil(property.id);
  await ask('GET', path);
  await shows(values(page, 'entries').nth(1), SOME);
});

onConsole('each chart has its values as a table', async (page) => {
  await page.locator('#chart-requests canvas').waitFor();
  for (const figure of await page.locator('figure').all()) {
    await figure.getByText('As a table').click();
    await figure.locator('tbody tr').first().waitFor();
    assert.equal(await figure.locator('thead th').count(), (await figure.locator('.values li').count()) + 1);
    const [inTable, above] = await figure.evaluate((it) => ['tbody td', '.values b'].map((of) => it.querySelector(of)?.textContent));
    assert.equal(inTable, above);
  }
});
