// Signing in to the console, and what the browser keeps of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ADMIN_TOKEN, BASE_URL, TENANT_TOKEN, fact, onConsole, onPage, open, shows, signIn, until } from './harness.mjs';

/** What the whole console may have, uncompressed. */
const MAX_BYTES = 150_000;

onConsole('an administrator sees how the service is', async (page) => {
  await shows(fact(page, 'Service'), /^Healthy/);
  await shows(fact(page, 'Redis'), /^Connected/);
  await shows(fact(page, 'PostgreSQL'), /^Connected/);
  await shows(page.locator('#version'), /^Version \d/);
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'now', 'the focus is where the page goes on');
});

onPage('a token that is wrong is told so', '/console', async (page) => {
  await signIn(page, `${ADMIN_TOKEN}x`);
  await shows(page.getByRole('alert'), /not valid/);
  assert.ok(await page.locator('#console').isHidden());
});

onPage('a token without the role Admin is told so', '/console', async (page) => {
  await signIn(page, TENANT_TOKEN);
  await shows(page.getByRole('alert'), /role Admin/);
  assert.ok(await page.locator('#console').isHidden());
});

onConsole('the token is in no storage, and gone with the page', async (page) => {
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]));
  assert.equal(kept, JSON.stringify([{}, {}, '', `${BASE_URL}/console`]));
  assert.ok(!(await page.content()).includes(ADMIN_TOKEN));
  assert.equal(await page.locator('#token').inputValue(), '');
  await page.reload();
  await page.locator('#sign-in').waitFor();
});

onPage('signing out ends what is shown and asked', '/console', async (page, { requests }) => {
  await page.clock.install();
  await signIn(page);
  const first = requests.length;
  await page.clock.runFor(3_000);
  await until('it asks again', () => requests.length > first);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.locator('#sign-in').waitFor();
  assert.equal(await page.locator('#facts > div').count(), 0);
  const asked = requests.length;
  await page.clock.runFor(10_000);
  // Requests are told in their order: behind this one none of before is to come.
  await page.evaluate(() => fetch('/livez'));
  assert.equal(requests.length, asked + 1);
});

test('the console is small, and all of it comes with headers that bind it', async () => {
  const { page, requests, close } = await open('/console');
  await page.waitForLoadState('networkidle');
  const files = requests.filter((url) => new URL(url).pathname.startsWith('/console'));
  await close();
  assert.ok(files.length > 8, `${files}`);
  let bytes = 0;
  for (const url of files) {
    const response = await fetch(url);
    assert.equal(response.status, 200, url);
    assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'; script-src 'self'; style-src 'self'/);
    bytes += (await response.arrayBuffer()).byteLength;
    const again = await fetch(url, { headers: { 'If-None-Match': response.headers.get('etag') ?? '' } });
    assert.equal(again.status, 304, url);
  }
  console.log(`the console has ${bytes} bytes in ${files.length} files`);
  assert.ok(bytes <= MAX_BYTES, `${bytes} bytes`);
});
