// Answers that fail, come late, or come when somebody else is signed in.

import assert from 'node:assert/strict';

import { fact, onConsole, shows, signIn, until } from './harness.mjs';

/** How many points a chart has. */
const points = async (page) => Number(await page.locator('#chart-requests').getAttribute('data-points'));

onConsole('an answer that is none leaves the others shown and is told', async (page) => {
  await page.route('**/api/health', (route) => route.fulfill({ status: 502, contentType: 'text/html', body: '<p>' }));
  await shows(page.locator('#notice'), /health/);
  await shows(fact(page, 'PostgreSQL'), /^unknown/);
  await shows(fact(page, 'Breaker'), /^closed/);
  const before = await points(page);
  await until('the charts go on', async () => (await points(page)) > before);
  await page.unroute('**/api/health');
  await shows(fact(page, 'PostgreSQL'), /^Connected/);
  await shows(page.locator('#notice'), /^$/);
});

onConsole('without any answer nothing is shown as well, and answers are taken up again', async (page) => {
  const all = /\/(metrics|api\/)/;
  await page.route(all, (route) => route.abort());
  await shows(page.locator('#notice'), /has not answered since/);
  for (const name of ['Service', 'Breaker', 'PostgreSQL']) await shows(fact(page, name), /^unknown/);
  await page.unroute(all);
  await shows(fact(page, 'Service'), /^Healthy/);
});

onConsole('the answer of an order is not shown to the next operator', async (page) => {
  let answer = () => {};
  const held = new Promise((resolve) => (answer = () => resolve(undefined)));
  await page.route('**/api/cache/drain', async (route) => {
    await held;
    await route.fulfill({ status: 200, json: { drained: 1 } });
  });
  const form = page.locator('form[data-order="drain"]');
  await form.getByRole('button').click();
  await page.locator('#confirm-send').click();
  await shows(form.locator('output'), /Sent/);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await signIn(page);
  const answered = page.waitForResponse('**/api/cache/drain');
  answer();
  await (await answered).finished();
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
  assert.equal(await form.locator('output').textContent(), '');
});
