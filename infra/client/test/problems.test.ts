import assert from "node:assert/strict";
import { test } from "node:test";

import { ForbiddenError, InvalidRequestError, NotFoundError, ProblemError, UnauthenticatedError } from "renttracker-client";

import { aProperty, landlord, watched } from "./support.ts";

test("a refused member is named", async () => {
  const client = landlord();
  const property = await aProperty(client);
  const draft = { amount: "1.234", paymentDate: "2026-01-01", paymentMethod: "Cash" } as const;
  await assert.rejects(client.payments.create(property.id, draft), (error) => {
    assert.ok(error instanceof InvalidRequestError && error instanceof ProblemError);
    assert.equal(error.status, 400);
    assert.deepEqual(Object.keys(error.errors), ["amount"]);
    assert.equal(error.problem.instance, `/api/properties/${property.id}/payments`);
    return true;
  });
});

test("a missing resource, a missing token and a missing role are told apart", async () => {
  const nothing = crypto.randomUUID();
  await assert.rejects(landlord().properties.get(nothing), NotFoundError);
  await assert.rejects(landlord({ token: () => "none" }).properties.get(nothing), UnauthenticatedError);
  await assert.rejects(landlord().api.GET("/api/cache/breaker"), ForbiddenError);
});

test("the token is asked for before each request", async () => {
  let asked = 0;
  const good = landlord();
  const { id } = await aProperty(good);
  const client = landlord({ token: async () => `token-${++asked}` });
  for (const _ of [1, 2]) await assert.rejects(client.properties.get(id), UnauthenticatedError);
  assert.equal(asked, 2);
});

test("an answer of a proxy that is no problem is an error with its status", async () => {
  const { fetch } = watched(async () => new Response("<html>", { status: 418, statusText: "Teapot" }));
  await assert.rejects(landlord({ fetch }).payments.methods(), (error) => {
    assert.ok(error instanceof ProblemError);
    assert.deepEqual([error.status, error.message], [418, "418 Teapot"]);
    return true;
  });
});

test("an answer whose length a proxy has taken away is read with its digits", async () => {
  const body = '{"items":[{"amount":9007199254740993.01}],"hasNextPage":false,"hasPreviousPage":false}';
  const { fetch } = watched(async () => new Response(body, { headers: { "Content-Type": "application/json" } }));
  const payments = await Array.fromAsync(landlord({ fetch }).payments.list(crypto.randomUUID()), (it) => it.amount);
  assert.deepEqual(payments, ["9007199254740993.01"]);
});
