// What the console keeps of one answer of `GET /metrics`.

/** @typedef {import('./prometheus.js').Sample} Sample */
/**
 * Durations in buckets, as Prometheus counts them: each bucket holds those below it too.
 * @typedef {{ bounds: number[], counts: number[] }} Histogram
 */
/** @typedef {{ hits: number, all: number }} Lookups */
/**
 * Counters since counting began, and gauges. What the service does not know at the moment is null.
 * @typedef {object} Reading
 * @property {number} at in milliseconds, on the browser's clock
 * @property {number} requests
 * @property {number} failures answered with 5xx
 * @property {{ list: Lookups, single: Lookups }} lookups
 * @property {{ hit: Histogram, miss: Histogram, write: Histogram }} latency by result
 * @property {Histogram} redis commands
 * @property {Histogram} postgres statements
 * @property {number} rejected entries
 * @property {number} checked hits that were compared with PostgreSQL
 * @property {number} stale ones among them
 * @property {number | null} outboxRows
 * @property {number | null} outboxSeconds
 * @property {number | null} connections to Redis
 * @property {number | null} hosts
 * @property {number} opened how often the breaker opened
 * @property {string} version
 */

const PREFIX = 'renttracker_';
/** Asked by probes, by Prometheus and by this console, and so not counted as requests here. */
const NOT_CLIENTS = new Set(['health', 'ops']);
/** The results that a client waits alike for. @type {Record<string, 'hit' | 'miss' | 'write'>} */
const RESULTS = { hit: 'hit', lease: 'hit', miss: 'miss', stored: 'miss', collapsed: 'miss', write: 'write' };

/**
 * Adds the buckets of several series up.
 * @param {Sample[]} buckets
 * @returns {Histogram}
 */
export function histogram(buckets) {
  /** @type {Map<number, number>} */
  const sums = new Map();
  for (const { labels, value } of buckets) {
    const bound = labels.le === '+Inf' ? Infinity : Number(labels.le);
    sums.set(bound, (sums.get(bound) ?? 0) + value);
  }
  const bounds = [...sums.keys()].sort((one, other) => one - other);
  return { bounds, counts: bounds.map((bound) => sums.get(bound) ?? 0) };
}

/**
 * @param {Sample[]} samples
 * @param {number} at
 * @returns {Reading}
 */
export function reading(samples, at) {
  /** @type {Map<string, Sample[]>} */
  const families = new Map();
  for (const sample of samples) {
    const name = sample.name.startsWith(PREFIX) ? sample.name.slice(PREFIX.length) : sample.name;
    families.set(name, [...(families.get(name) ?? []), sample]);
  }
  const all = (/** @type {string} */ name) => families.get(name) ?? [];
  const sum = (/** @type {string} */ name, /** @type {(labels: Sample['labels']) => boolean} */ which = () => true) =>
    all(name).reduce((sum, { labels, value }) => (which(labels) ? sum + value : sum), 0);
  const gauge = (/** @type {string} */ name) => all(name)[0]?.value ?? null;
  const isClient = (/** @type {Sample['labels']} */ labels) => !NOT_CLIENTS.has(labels.route);
  const lookups = (/** @type {string} */ kind) => ({
    hits: sum('cache_lookups_total', (labels) => labels.kind === kind && RESULTS[labels.result] === 'hit'),
    all: sum('cache_lookups_total', (labels) => labels.kind === kind && labels.result !== 'bypass'),
  });
  const latency = (/** @type {string} */ result) =>
    histogram(all('request_duration_seconds_bucket').filter(({ labels }) => isClient(labels) && RESULTS[labels.result] === result));
  return {
    at,
    requests: sum('requests_total', isClient),
    failures: sum('requests_total', (labels) => isClient(labels) && labels.status.startsWith('5')),
    lookups: { list: lookups('list'), single: lookups('single') },
    latency: { hit: latency('hit'), miss: latency('miss'), write: latency('write') },
    redis: histogram(all('redis_duration_seconds_bucket')),
    postgres: histogram(all('postgres_duration_seconds_bucket')),
    rejected: sum('cache_rejected_total'),
    checked: sum('cache_checks_total'),
    stale: sum('cache_checks_total', (labels) => labels.result === 'stale'),
    outboxRows: gauge('outbox_rows'),
    outboxSeconds: gauge('outbox_oldest_seconds'),
    connections: gauge('redis_connections'),
    hosts: gauge('postgres_client_hosts'),
    opened: sum('breaker_transitions_total', (labels) => labels.to === 'open'),
    version: all('build_info')[0]?.labels.version ?? '',
  };
}
