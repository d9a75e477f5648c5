// The last suite: Redis is killed.

import assert from 'node:assert/strict';
import { fact, onConsole } from './harness.mjs';

/** So many looks that begin after the kill show it: one each two seconds, so an operator sees it within five. */
const LOOKS = 2;

onConsole('a Redis that was killed is seen within five seconds', async (page) => {
  let looks = 0;
  page.on('request', (request) => { looks += request.url().endsWith('/api/health') ? 1 : 0; });
  process.kill(Number(process.env.REDIS_PID), 'SIGKILL');
  await fact(page, 'Redis').getByText('Disconnected').waitFor();
  assert.ok(looks <= LOOKS, `seen after ${looks} looks`);
});
