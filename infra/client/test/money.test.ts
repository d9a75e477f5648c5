import assert from "node:assert/strict";
import { test } from "node:test";

import { money, type Money, type PaymentDraft, type PropertyDraft } from "renttracker-client";

import { aProperty, baseUrl, landlord, token } from "./support.ts";

const PAYMENT: Omit<PaymentDraft, "amount"> = { paymentDate: "2026-01-01", paymentMethod: "Cash" };

/** In binary floats, all but the first would be another amount or another text. */
const AMOUNTS: Money[] = ["450", "0.1", "0.3", "9007199254740993.01", "9999999999999999.99", "-9999999999999999.99"];

test("every digit of an amount is written, kept and read", async () => {
  const client = landlord();
  const property = await aProperty(client);
  for (const amount of AMOUNTS) {
    const { value } = await client.payments.create(property.id, { ...PAYMENT, amount });
    assert.equal(value.amount, amount);
    assert.equal((await client.payments.get(property.id, value.id)).value.amount, amount);
    // What the API says, unparsed: a JSON number with these digits.
    const url = `${baseUrl}/api/properties/${property.id}/payments/${value.id}`;
    const text = await (await fetch(url, { headers: { Authorization: `Bearer ${token}` } })).text();
    assert.ok(text.includes(`"amount":${amount},`), text);
  }
  const listed = await Array.fromAsync(client.payments.list(property.id, { sortField: "amount" }), (it) => it.amount);
  assert.deepEqual(listed.toSorted(), AMOUNTS.toSorted());
});

test("what is read can be written back as it is", async () => {
  const client = landlord();
  const property = await aProperty(client);
  const { value } = await client.properties.update(property.id, (it) => ({ ...it, weeklyRentAmount: "9007199254740993.01" }));
  const again = await client.properties.update(property.id, (it) => it);
  assert.equal(again.value.weeklyRentAmount, value.weeklyRentAmount);
  assert.equal(again.value.rowVersion, value.rowVersion + 1);
});

test("the operations by path have exact amounts too", async () => {
  const { api } = landlord();
  const body: PropertyDraft = { address: "2 Client St", weeklyRentAmount: "9007199254740993.01" };
  const { data } = await api.POST("/api/properties", { body });
  assert.equal(data?.weeklyRentAmount, "9007199254740993.01");
});

test("a number is no amount of money, for the compiler and when it runs", async () => {
  const client = landlord();
  const property = await aProperty(client);
  // @ts-expect-error: a number
  const draft: PaymentDraft = { ...PAYMENT, amount: 0.1 };
  await assert.rejects(client.payments.create(property.id, draft), /amount is money/);
  for (const text of ["", "1,5", "0x10", "1e3", " 1", "Infinity"]) assert.throws(() => money(text), TypeError, text);
});
