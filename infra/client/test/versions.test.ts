import assert from "node:assert/strict";
import { test } from "node:test";

import { NotFoundError, PreconditionFailedError } from "renttracker-client";

import { aProperty, landlord } from "./support.ts";

test("of two changes of one version the second is refused, and nothing of it is written", async () => {
  const client = landlord();
  const { id } = await aProperty(client);
  const seen = await client.properties.get(id);
  const first = await client.properties.replace(id, { ...seen.value, suburb: "Glebe" }, seen.etag);
  const second = client.properties.replace(id, { address: "3 Client St", suburb: "Newtown" }, seen.etag);
  await assert.rejects(second, (error) => error instanceof PreconditionFailedError && error.status === 412);
  const now = await client.properties.get(id);
  assert.deepEqual(now, first);
  assert.equal(now.value.suburb, "Glebe");
});

test("a write of a version that somebody has replaced is refused, and an update reads the new one", async () => {
  const client = landlord();
  const { id } = await aProperty(client);
  const other = landlord();
  const { etag } = await other.properties.get(id);
  await other.properties.update(id, (property) => ({ ...property, suburb: "Glebe" }));
  await assert.rejects(client.properties.delete(id, etag), PreconditionFailedError);
  const { value } = await client.properties.update(id, (property) => ({ ...property, state: "NSW" }));
  assert.deepEqual([value.suburb, value.state], ["Glebe", "NSW"]);
});

test("a payment's versions are held to as a property's are", async () => {
  const client = landlord();
  const { id } = await aProperty(client);
  const draft = { paymentDate: "2026-01-01", paymentMethod: "Cash" };
  const payment = await client.payments.create(id, { ...draft, amount: "1" });
  const etag = await client.payments.replace(id, payment.value.id, { ...draft, amount: "2" }, payment.etag);
  await assert.rejects(client.payments.delete(id, payment.value.id, payment.etag), PreconditionFailedError);
  await client.payments.delete(id, payment.value.id, etag);
  await assert.rejects(client.payments.get(id, payment.value.id), NotFoundError);
});
