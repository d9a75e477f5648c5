// Pages of the running stack in Chromium. Each test has a browser context of its own, in which every request is noted: one to another
// origin, or an error in the console, fails the test.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { chromium } from 'playwright-core';

/** What `cargo xtask browser` tells of the stack. */
export const { BASE_URL, ADMIN_TOKEN, TENANT, TENANT_TOKEN } = process.env;

/** How long a condition is waited for. Longer than anything takes: a test that fails waits so long, and no other. */
export const PATIENCE_MS = 20_000;

/** A sandbox of Chromium's own needs rights that root has given up in containers. */
const isRoot = process.getuid?.() === 0;
export const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: isRoot ? ['--no-sandbox'] : [],
});
after(() => browser.close());

/** The text of a request that failed, which the browser notes as an error by itself. */
const OF_A_STATUS = /^Failed to load resource/;

/** A page, and what it has asked for. */
export async function open(path, options = {}) {
  const context = await browser.newContext({ baseURL: BASE_URL, viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const [requests, problems] = [[], []];
  context.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => problems.push(`${error}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !OF_A_STATUS.test(message.text())) problems.push(message.text());
  });
  await page.goto(path);
  const check = () => {
    const elsewhere = requests.filter((url) => !url.startsWith(`${BASE_URL}/`) && !url.startsWith('data:'));
    assert.deepEqual(elsewhere, [], 'requested from elsewhere');
    assert.ok(requests.length > 0, 'no request was noted');
    assert.deepEqual(problems, [], 'errors in the console');
  };
  return { page, requests, check, close: () => context.close() };
}

/** A test on a page. */
export function onPage(name, path, run, options = {}) {
  test(name, async () => {
    const visit = await open(path, options);
    try {
      await run(visit.page, visit);
      visit.check();
    } finally {
      await visit.close();
    }
  });
}

/** A test on the console, signed in. */
export function onConsole(name, run, options = {}) {
  onPage(
    name,
    '/console',
    async (page, visit) => {
      await signIn(page);
      await run(page, visit);
    },
    options,
  );
}

export async function signIn(page, token = ADMIN_TOKEN) {
  await page.getByLabel('Token with the role Admin').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  if (token === ADMIN_TOKEN) await page.locator('#facts dd').first().waitFor();
}

/** What a fact of the console says: its value, and what is beside it. */
export const fact = (page, name) => page.locator('#facts > div', { has: page.getByText(name, { exact: true }) }).locator('dd');

/** Waits until `look` answers something, and answers that. */
export async function until(what, look, patience = PATIENCE_MS) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits until an element's text is as wanted. */
export const shows = (locator, pattern) =>
  until(`${locator} is ${pattern}`, async () => pattern.test((await locator.textContent()) ?? ''));
