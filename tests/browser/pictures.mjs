// The pictures in README.md: the console under load, light and dark.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { asAdmin, properties, underLoad } from './api.mjs';
import { browser, open, signIn, until } from './harness.mjs';

/** How many points of the charts are waited for: at one each two seconds. */
const POINTS = 45;
/** Longer than that takes. */
const WAIT_MS = 3 * POINTS * 2_000;

const { PICTURES } = process.env;
await mkdir(PICTURES, { recursive: true });
const all = await properties();
const visits = await Promise.all(
  ['light', 'dark'].map(async (colorScheme) => {
    const visit = await open('/console', { colorScheme, viewport: { width: 1200, height: 960 } });
    await signIn(visit.page);
    return { ...visit, colorScheme };
  }),
);
const points = () => visits[0].page.locator('#chart-requests').evaluate((figure) => Number(figure.dataset.points));
const see = (part) => until('points', async () => (await points()) > part * POINTS, WAIT_MS);
await underLoad(all, async () => {
  await see(1 / 3);
  await asAdmin('PUT', '/api/cache/breaker', { mode: 'forced_open' });
  await see(1 / 2);
  await asAdmin('PUT', '/api/cache/breaker', { mode: 'auto' });
  await see(1);
  for (const { page, colorScheme, check } of visits) {
    await page.screenshot({ path: join(PICTURES, `console-${colorScheme}.png`) });
    check();
  }
});
await browser.close();
