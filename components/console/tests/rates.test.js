import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parse } from '../assets/prometheus.js';
import { hitRatio, increase, point, quantile } from '../assets/rates.js';
import { histogram, reading } from '../assets/reading.js';

const NOTHING = { bounds: [], counts: [] };
/** Ten up to 1 ms, ten more up to 10 ms, one above. */
const BUCKETS = { bounds: [0.001, 0.01, Infinity], counts: [10, 20, 21] };

test('a counter that begins anew has grown by what it shows', () => {
  assert.equal(increase(5, 8), 3);
  assert.equal(increase(8, 5), 5);
});

test('a quantile lies evenly within its bucket', () => {
  assert.equal(quantile(10 / 21, NOTHING, BUCKETS), 0.001);
  assert.equal(quantile(5 / 21, NOTHING, BUCKETS), 0.0005);
  assert.ok(Math.abs((quantile(15 / 21, NOTHING, BUCKETS) ?? 0) - 0.0055) < 1e-9);
});

test('a quantile above all bounds is the largest bound', () => {
  assert.equal(quantile(1, NOTHING, BUCKETS), 0.01);
});

test('a quantile is of what was measured since', () => {
  const later = { ...BUCKETS, counts: [10, 30, 31] };
  assert.ok(Math.abs((quantile(0.5, BUCKETS, later) ?? 0) - 0.0055) < 1e-9);
  assert.equal(quantile(0.5, BUCKETS, BUCKETS), null);
  // Begun anew: the earlier counts are of another time.
  assert.equal(quantile(0.5, later, { ...BUCKETS, counts: [2, 2, 2] }), 0.0005);
  // So they are where as much has been counted since, but in other buckets.
  assert.ok(Math.abs((quantile(0.5, BUCKETS, { ...BUCKETS, counts: [0, 30, 30] }) ?? 0) - 0.0055) < 1e-9);
});

test('buckets of several series add up', () => {
  const samples = parse('d_bucket{r="a",le="0.1"} 1\nd_bucket{r="a",le="+Inf"} 2\nd_bucket{r="b",le="0.1"} 3\nd_bucket{r="b",le="+Inf"} 3');
  assert.deepEqual(histogram(samples), { bounds: [0.1, Infinity], counts: [4, 5] });
});

test('a ratio without a lookup is not known', () => {
  assert.equal(hitRatio({ hits: 1, all: 2 }, { hits: 1, all: 2 }), null);
  assert.equal(hitRatio({ hits: 1, all: 2 }, { hits: 4, all: 6 }), 75);
  // Begun anew, although there are more hits than before by now.
  assert.equal(hitRatio({ hits: 5, all: 100 }, { hits: 8, all: 10 }), 80);
});

/** @param {number} times how much everything has been counted */
const scrape = (times) => `
renttracker_build_info{version="0.1.0"} 1
renttracker_requests_total{route="property",method="GET",status="200"} ${20 * times}
renttracker_requests_total{route="property",method="GET",status="503"} ${10 * times}
renttracker_requests_total{route="ops",method="GET",status="200"} ${99 * times}
renttracker_requests_total{route="health",method="GET",status="200"} ${99 * times}
renttracker_cache_lookups_total{kind="single",result="hit"} ${5 * times}
renttracker_cache_lookups_total{kind="single",result="lease"} ${2 * times}
renttracker_cache_lookups_total{kind="single",result="stored"} ${times}
renttracker_cache_lookups_total{kind="single",result="bypass"} ${50 * times}
renttracker_cache_lookups_total{kind="list",result="miss"} ${times}
renttracker_request_duration_seconds_bucket{route="property",result="hit",le="0.001"} ${10 * times}
renttracker_request_duration_seconds_bucket{route="property",result="hit",le="+Inf"} ${10 * times}
renttracker_request_duration_seconds_bucket{route="ops",result="write",le="+Inf"} ${times}
renttracker_cache_rejected_total{reason="epoch"} ${times}
renttracker_cache_checks_total{result="consistent"} ${4 * times}
renttracker_cache_checks_total{result="stale",reason="unknown"} ${times}
renttracker_breaker_transitions_total{to="open"} ${times}
renttracker_breaker_transitions_total{to="closed"} ${times}
renttracker_outbox_rows 7
renttracker_redis_connections 4
`;

test('a point has the rates of the clients, without those of probes and operators', () => {
  const before = reading(parse(scrape(1)), 0);
  const now = reading(parse(scrape(2)), 10_000);
  const made = point(before, now, 0);
  assert.equal(made.requests, 3);
  assert.equal(made.failures, 1);
  assert.equal(made.singleHits, 87.5);
  assert.equal(made.listHits, 0);
  assert.equal(made.hitMs, 0.99);
  assert.equal(made.writeMs, null);
  assert.equal(made.rejected, 6);
  assert.equal(made.checked, 30);
  assert.equal(made.stale, 6);
  assert.equal(made.outboxRows, 7);
  assert.equal(made.outboxSeconds, null);
  assert.equal(made.connections, 4);
  assert.equal(now.opened, 2);
  assert.equal(now.version, '0.1.0');
});

test('the first point has what is so now and no rates', () => {
  const made = point(undefined, reading(parse(scrape(1)), 0), 2);
  assert.equal(made.requests, null);
  assert.equal(made.hitMs, null);
  assert.equal(made.outboxRows, 7);
  assert.equal(made.breaker, 2);
});
