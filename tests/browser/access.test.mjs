// The console for people who see, read and type otherwise.

import assert from 'node:assert/strict';

import { violations } from './axe.mjs';
import { ADMIN_TOKEN, onConsole, onPage, shows } from './harness.mjs';

const PHONE = { viewport: { width: 360, height: 740 } };

for (const colorScheme of ['light', 'dark']) {
  onPage(`axe finds nothing where one signs in, ${colorScheme}`, '/console', async (page) => {
    assert.deepEqual(await violations(page), []);
  }, { colorScheme });

  onConsole(`axe finds nothing on the console and its confirmations, ${colorScheme}`, async (page) => {
    await page.locator('#changes tr').first().waitFor();
    await page.locator('#chart-requests').getByText('As a table').click();
    assert.deepEqual(await violations(page), []);
    const isDark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor === 'rgb(20, 23, 26)');
    assert.equal(isDark, colorScheme === 'dark');
    await page.getByRole('button', { name: 'Drain…' }).click();
    await page.getByRole('dialog').waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Send the order' }).click();
    await shows(page.locator('form[data-order=drain] output'), /Done/);
    assert.deepEqual(await violations(page), []);
  }, { colorScheme });
}

const fits = async (page) => {
  const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.equal(widths[0], widths[1], `${widths}`);
};

onPage('signing in fits 360 pixels', '/console', fits, PHONE);

onConsole('the console and its confirmations fit 360 pixels', async (page) => {
  await page.locator('#changes tr').first().waitFor();
  await page.locator('#chart-entries').getByText('As a table').click();
  await fits(page);
  await page.getByRole('button', { name: 'Purge…' }).scrollIntoViewIfNeeded();
  await page.getByLabel('Pattern').fill(`property:${'x'.repeat(80)}`);
  await page.locator('#purge-tenant').fill('a');
  await page.getByRole('button', { name: 'Purge…' }).click();
  await page.getByRole('dialog').waitFor();
  await fits(page);
}, PHONE);

onPage('the keyboard alone signs in and gives an order', '/console', async (page) => {
  const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim());
  // The field has the focus with the page's first frame.
  await page.waitForFunction(() => document.activeElement?.id === 'token');
  await page.keyboard.type(ADMIN_TOKEN);
  await page.keyboard.press('Enter');
  await page.locator('#facts dd').first().waitFor();
  for (let presses = 0; (await focused()) !== 'Drain…'; presses += 1) {
    assert.ok(presses < 60, 'the button is not reached');
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  assert.equal(await focused(), 'Cancel', 'what does nothing has the focus first');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await shows(page.locator('form[data-order=drain] output'), /Done/);
  assert.equal(await focused(), 'Drain…', 'the focus comes back');
});
