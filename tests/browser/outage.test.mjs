// The last suite: Redis is killed.

import { fact, onConsole } from './harness.mjs';

/** An operator sees it within so long. */
const SEEN_MS = 5_000;

onConsole('a Redis that was killed is seen within five seconds', async (page) => {
  process.kill(Number(process.env.REDIS_PID), 'SIGKILL');
  await fact(page, 'Redis').getByText('Disconnected').waitFor({ timeout: SEEN_MS });
});
