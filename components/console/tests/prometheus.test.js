import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parse } from '../assets/prometheus.js';

test('samples are read with their labels and values', () => {
  const text = `# HELP renttracker_requests_total Requests answered.
# TYPE renttracker_requests_total counter
renttracker_requests_total{route="properties",method="GET",status="200"} 42
renttracker_redis_up 1
renttracker_request_duration_seconds_bucket{result="hit",le="+Inf"} 3 1700000000000
`;
  assert.deepEqual(parse(text), [
    { name: 'renttracker_requests_total', labels: { route: 'properties', method: 'GET', status: '200' }, value: 42 },
    { name: 'renttracker_redis_up', labels: {}, value: 1 },
    { name: 'renttracker_request_duration_seconds_bucket', labels: { result: 'hit', le: '+Inf' }, value: 3 },
  ]);
});

test('values are read in each spelling of the format', () => {
  const values = parse('a 1e3\na -0.5\na +Inf\na -Inf\na NaN\n').map(({ value }) => value);
  assert.deepEqual(values, [1000, -0.5, Infinity, -Infinity, NaN]);
});

test('a label may have commas, braces, quotation marks and line ends', () => {
  const [sample] = parse(String.raw`a{one="x,y}\" \\ \n",two=""} 1`);
  assert.deepEqual(sample.labels, { one: 'x,y}" \\ \n', two: '' });
});

test('what is no sample is left out', () => {
  assert.deepEqual(parse('\n# a 1\n{} 1\na\n<html>\n'), []);
});
