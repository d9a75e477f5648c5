import assert from "node:assert/strict";
import { test } from "node:test";

import { KeyReusedError, PreconditionFailedError, ProblemError } from "renttracker-client";

import { aProperty, landlord, watched } from "./support.ts";

const PAYMENT = { amount: "450.50", paymentDate: "2026-01-01", paymentMethod: "Cash" } as const;

test("a write whose answer is lost is sent again under its key, and done once", async () => {
  const { requests, fetch: send } = watched(async (request, nth) => {
    if (nth > 1) return undefined;
    assert.equal((await fetch(request)).status, 201);
    throw new TypeError("the connection is lost");
  });
  const property = await aProperty(landlord());
  const { value } = await landlord({ fetch: send }).payments.create(property.id, PAYMENT);
  const keys = requests.map((it) => it.headers.get("Idempotency-Key"));
  assert.ok(keys.length === 2 && keys[0] && keys[0] === keys[1], keys.join());
  const payments = await Array.fromAsync(landlord().payments.list(property.id), (payment) => payment.id);
  assert.deepEqual(payments, [value.id]);
});

test("each write has a key of its own, unless the caller names one", async () => {
  const client = landlord();
  const property = await aProperty(client);
  const key = { idempotencyKey: crypto.randomUUID() };
  const [first, same] = [
    await client.payments.create(property.id, PAYMENT, key),
    await client.payments.create(property.id, PAYMENT, key),
  ];
  const other = await client.payments.create(property.id, PAYMENT);
  assert.equal(first.value.id, same.value.id);
  assert.notEqual(other.value.id, first.value.id);
  await assert.rejects(client.payments.create(property.id, { ...PAYMENT, amount: "1" }, key), KeyReusedError);
});

test("a read is sent again when a server is out of order for a moment, and not for ever", async () => {
  const { id } = await aProperty(landlord());
  const refusals = (count: number) =>
    watched(async (_, nth) => (nth <= count ? new Response("<html>", { status: 503, headers: { "Retry-After": "0" } }) : undefined));
  const twice = refusals(2);
  assert.equal((await landlord({ fetch: twice.fetch }).properties.get(id)).value.id, id);
  assert.equal(twice.requests.length, 3);
  const always = refusals(Infinity);
  const read = landlord({ fetch: always.fetch, attempts: { count: 2 } }).properties.get(id);
  await assert.rejects(read, (error) => error instanceof ProblemError && error.status === 503 && error.retryAfterSeconds === 0);
  assert.equal(always.requests.length, 2);
});

test("a conditional write is not sent again: its own first attempt would refuse it", async () => {
  const { requests, fetch } = watched(async () => new Response(null, { status: 503, headers: { "Retry-After": "0" } }));
  const client = landlord();
  const { id } = await aProperty(client);
  const { etag } = await client.properties.get(id);
  await assert.rejects(landlord({ fetch }).properties.replace(id, { address: "x" }, etag), ProblemError);
  assert.equal(requests.length, 1);
  await client.properties.replace(id, { address: "x" }, etag);
  await assert.rejects(client.properties.replace(id, { address: "x" }, etag), PreconditionFailedError);
});

test("an answer that does not come is waited for no longer than is asked, each time", async () => {
  const { requests, fetch } = watched(({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))));
  const read = landlord({ fetch, attempts: { count: 2, timeoutMs: 20 } }).payments.methods();
  await assert.rejects(read, { name: "TimeoutError" });
  assert.equal(requests.length, 2);
});

test("a request that is called off is not sent again", async () => {
  const controller = new AbortController();
  const { requests, fetch } = watched(async () => {
    controller.abort(new Error("called off"));
    return new Response(null, { status: 503, headers: { "Retry-After": "9" } });
  });
  await assert.rejects(landlord({ fetch }).api.GET("/api/paymentmethods", { signal: controller.signal }), /called off/);
  assert.equal(requests.length, 1);
});
