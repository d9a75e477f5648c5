// From two readings to what was so between them.

/** @typedef {import('./reading.js').Reading} Reading */
/** @typedef {import('./reading.js').Histogram} Histogram */
/**
 * What the charts show at a moment. What is not known is null.
 * @typedef {object} Point
 * @property {number} at in seconds, as the charts have it
 * @property {number | null} requests a second
 * @property {number | null} failures a second
 * @property {number | null} listHits of 100 lookups
 * @property {number | null} singleHits of 100 lookups
 * @property {number | null} hitMs the 99th percentile
 * @property {number | null} missMs the 99th percentile
 * @property {number | null} writeMs the 99th percentile
 * @property {number | null} redisMs the 99th percentile of commands
 * @property {number | null} postgresMs the 99th percentile of statements
 * @property {number | null} rejected entries a minute
 * @property {number | null} checked hits a minute
 * @property {number | null} stale hits a minute
 * @property {number | null} outboxRows
 * @property {number | null} outboxSeconds
 * @property {number | null} connections
 * @property {number | null} hosts
 * @property {number | null} breaker its state: 0 closed, 1 half open, 2 open
 */

const PERCENTILE = 0.99;
const MS = 1000;

/**
 * By how much a counter has grown. One that is smaller than before has begun anew.
 * @param {number} before
 * @param {number} now
 */
export function increase(before, now) {
  return now < before ? now : now - before;
}

/**
 * A quantile of what was measured between two readings, in seconds: as Prometheus's `histogram_quantile` estimates it, evenly spread
 * within a bucket, and the largest bound for what lies above that. Null when nothing was measured.
 * @param {number} q between 0 and 1
 * @param {Histogram} before
 * @param {Histogram} now
 * @returns {number | null}
 */
export function quantile(q, before, now) {
  const earlier = new Map(before.bounds.map((bound, index) => [bound, before.counts[index]]));
  const isAnew = now.bounds.some((bound, index) => now.counts[index] < (earlier.get(bound) ?? 0));
  const counts = now.bounds.map((bound, index) => now.counts[index] - (isAnew ? 0 : (earlier.get(bound) ?? 0)));
  const all = counts.at(-1) ?? 0;
  if (all <= 0) return null;
  const rank = q * all;
  const bucket = counts.findIndex((count) => count >= rank);
  const upper = now.bounds[bucket];
  const lower = bucket > 0 ? now.bounds[bucket - 1] : 0;
  if (!Number.isFinite(upper)) return lower;
  const below = bucket > 0 ? counts[bucket - 1] : 0;
  return lower + ((upper - lower) * (rank - below)) / (counts[bucket] - below);
}

/**
 * The part of hits among the lookups between two readings, of 100; null without a lookup.
 * @param {{ hits: number, all: number }} before
 * @param {{ hits: number, all: number }} now
 */
export function hitRatio(before, now) {
  // Both have begun anew if one has.
  const { hits, all } = now.all < before.all || now.hits < before.hits ? { hits: 0, all: 0 } : before;
  return now.all > all ? Math.min(100, (100 * (now.hits - hits)) / (now.all - all)) : null;
}

/**
 * @param {Reading | undefined} before the first reading has none before it, and so no rates
 * @param {Reading} now
 * @param {number | null} breaker
 * @returns {Point}
 */
export function point(before, now, breaker) {
  const seconds = before ? (now.at - before.at) / MS : 0;
  const rate = (/** @type {'requests' | 'failures' | 'rejected' | 'checked' | 'stale'} */ name) =>
    before && seconds > 0 ? increase(before[name], now[name]) / seconds : null;
  const aMinute = (/** @type {'rejected' | 'checked' | 'stale'} */ name) => {
    const aSecond = rate(name);
    return aSecond === null ? null : 60 * aSecond;
  };
  const ms = (/** @type {Histogram | undefined} */ earlier, /** @type {Histogram} */ later) => {
    const value = earlier ? quantile(PERCENTILE, earlier, later) : null;
    return value === null ? null : value * MS;
  };
  return {
    at: now.at / MS,
    requests: rate('requests'),
    failures: rate('failures'),
    listHits: before ? hitRatio(before.lookups.list, now.lookups.list) : null,
    singleHits: before ? hitRatio(before.lookups.single, now.lookups.single) : null,
    hitMs: ms(before?.latency.hit, now.latency.hit),
    missMs: ms(before?.latency.miss, now.latency.miss),
    writeMs: ms(before?.latency.write, now.latency.write),
    redisMs: ms(before?.redis, now.redis),
    postgresMs: ms(before?.postgres, now.postgres),
    rejected: aMinute('rejected'),
    checked: aMinute('checked'),
    stale: aMinute('stale'),
    outboxRows: now.outboxRows,
    outboxSeconds: now.outboxSeconds,
    connections: now.connections,
    hosts: now.hosts,
    breaker,
  };
}
