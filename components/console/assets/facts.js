// What is so now, as the answers of health and of the breaker say it.

import { words } from './breaker.js';
import { count, element, megabytes, moment, ms, time } from './page.js';

/** @typedef {import('./breaker.js').Breaker} Breaker */
/** @typedef {import('./rates.js').Point} Point */
/** @typedef {import('./reading.js').Reading} Reading */
/** @typedef {{ name: string, value: string, more?: string | null, isGood?: boolean }} Fact */

/**
 * @param {any} health null when it is unknown
 * @param {Breaker | null} breaker
 * @param {Reading | null} reading
 * @returns {Fact[]}
 */
export function facts(health, breaker, reading) {
  const { redis, outbox } = health ?? {};
  const since = breaker?.since ? `since ${moment(breaker.since)}` : null;
  return [
    { name: 'Service', value: health?.status ?? 'unknown', more: health?.reason, isGood: health?.status === 'Healthy' },
    {
      name: 'Breaker',
      value: breaker ? `${words(breaker.state)}, ${words(breaker.mode)}` : 'unknown',
      more: [since, breaker?.retryAt && `next probe ${time(breaker.retryAt)}`, breaker?.reason].filter(Boolean).join('; '),
      isGood: breaker?.state === 'closed',
    },
    {
      name: 'Redis',
      value: redis?.status ?? 'unknown',
      more: `${megabytes(redis?.memoryBytes)}, median ${ms(redis?.p50Ms ?? null)}, 99th percentile ${ms(redis?.p99Ms ?? null)}`,
      isGood: redis?.status === 'Connected',
    },
    {
      name: 'PostgreSQL',
      value: health?.database ?? 'unknown',
      more: health?.databaseReason,
      isGood: health?.database === 'Connected',
    },
    {
      name: 'Outbox',
      value: outbox ? `${outbox.rows} ${outbox.rows === 1 ? 'row' : 'rows'}` : 'unknown',
      more: outbox && outbox.rows > 0 ? `the oldest ${outbox.oldestSeconds} s old` : null,
      isGood: outbox ? outbox.oldestSeconds <= 30 : false,
    },
    {
      name: 'Landlords in doubt',
      value: count(health?.tenantsInDoubt ?? null),
      more: health?.tenantsInDoubt > 0 ? 'a write is in progress for more than 4 s; nothing of theirs is stored' : null,
      isGood: health?.tenantsInDoubt === 0,
    },
    // The rest counts since counting began.
    { name: 'Rejected entries', value: count(reading?.rejected ?? null) },
    { name: 'Stale hits', value: count(reading?.stale ?? null), more: `of ${count(reading?.checked ?? null)} compared`, isGood: reading?.stale === 0 },
    {
      name: 'Hosts and instances',
      value: `${count(reading?.hosts ?? null)} and ${count(reading?.connections ?? null)}`,
      more: 'hosts that use PostgreSQL, connections to Redis (one each instance)',
    },
    { name: 'Openings of the breaker', value: count(reading?.opened ?? null), more: `epoch ${count(breaker?.epoch ?? null)}` },
  ];
}

/**
 * Shows the facts. Elements that are there are kept, so that a reader of the screen is not sent back to the first.
 * @param {HTMLElement} list
 * @param {Fact[]} facts
 */
export function showFacts(list, facts) {
  while (list.children.length < facts.length) {
    list.append(element('div', {}, element('dt'), element('dd', {}, element('span'), element('small'))));
  }
  facts.forEach(({ name, value, more, isGood }, index) => {
    const [term, description] = list.children[index].children;
    const [shown, small] = description.children;
    put(term, name);
    put(shown, value);
    put(small, more ?? '');
    shown.className = isGood === undefined ? '' : isGood ? 'good' : 'bad';
  });
}

/**
 * @param {Element} place
 * @param {string} text
 */
function put(place, text) {
  if (place.textContent !== text) place.textContent = text;
}
