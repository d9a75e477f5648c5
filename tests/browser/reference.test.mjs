// The API's reference: Swagger UI under a strict policy, on the running stack.

import assert from 'node:assert/strict';

import { ask } from './api.mjs';
import { violations } from './axe.mjs';
import { TENANT_TOKEN, onPage, shows } from './harness.mjs';

/** Rules that Swagger UI breaks by itself; `infra/console/README.md` names each. */
const FAULTS_OF_SWAGGER_UI = ['heading-order', 'nested-interactive', 'select-name'];

const METHODS = new Set(['get', 'put', 'post', 'delete']);

onPage('each operation of the document is shown', '/docs', async (page) => {
  const { body } = await ask('GET', '/api/openapi.json');
  const operations = Object.values(body.paths).flatMap((path) => Object.keys(path)).filter((name) => METHODS.has(name));
  await page.locator('.opblock').first().waitFor();
  assert.equal(await page.locator('.opblock').count(), operations.length);
  assert.ok(operations.length > 15, `${operations.length}`);
});

onPage('a request that is tried is answered by the running stack', '/docs', async (page) => {
  await page.getByRole('button', { name: 'Authorize' }).first().click();
  await page.locator('.dialog-ux input').first().fill(TENANT_TOKEN);
  await page.locator('.dialog-ux button.authorize').click();
  await page.locator('.dialog-ux .btn-done').click();
  const operation = page.locator('.opblock-get', { has: page.locator('[data-path="/api/properties"]') });
  await operation.locator('.opblock-summary-control').click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
  await operation.getByRole('button', { name: 'Execute' }).click();
  const answer = operation.locator('.live-responses-table');
  await shows(answer.locator('tbody .response-col_status').first(), /^200/);
  await shows(answer, /totalCount/);
});

for (const colorScheme of ['light', 'dark']) {
  onPage(`axe finds nothing on the reference but the faults that are known, ${colorScheme}`, '/docs', async (page) => {
    await page.locator('.opblock').first().waitFor();
    await page.locator('[data-path="/api/properties"]').first().click();
    // Its parameters are drawn later.
    await page.locator('.opblock.is-open select').first().waitFor();
    const found = await violations(page);
    for (const { id, help, nodes } of found) console.log(`${id}: ${help} (${nodes.length}: ${nodes.slice(0, 3).join(', ')})`);
    assert.deepEqual(found.map(({ id }) => id).sort(), FAULTS_OF_SWAGGER_UI);
  }, { colorScheme });
}
