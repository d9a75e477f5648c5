import assert from "node:assert/strict";
import { test } from "node:test";

import { aProperty, landlord, watched } from "./support.ts";

const PAYMENTS = 5;
const PAGE_SIZE = 2;

test("a list is read by cursor, each item once and a page at a time", async () => {
  const { requests, fetch } = watched();
  const client = landlord({ fetch });
  const property = await aProperty(client);
  for (let day = 1; day <= PAYMENTS; day++) {
    await client.payments.create(property.id, { amount: "1", paymentDate: `2026-01-0${day}`, paymentMethod: "Cash" });
  }
  requests.length = 0;
  const days: string[] = [];
  for await (const payment of client.payments.list(property.id, { pageSize: PAGE_SIZE })) {
    days.push(payment.paymentDate.slice(8, 10));
    assert.equal(requests.length, Math.ceil(days.length / PAGE_SIZE), "the next page is asked for when it is needed");
  }
  assert.deepEqual(days, ["05", "04", "03", "02", "01"]);
});

test("a list is left in the middle without reading on", async () => {
  const { requests, fetch } = watched();
  const client = landlord({ fetch });
  await Promise.all([aProperty(client), aProperty(client)]);
  requests.length = 0;
  for await (const _ of client.properties.list({ pageSize: 1, sortField: "suburb" })) break;
  assert.equal(requests.length, 1);
});
