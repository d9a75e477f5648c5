import assert from "node:assert/strict";
import { test } from "node:test";

import { NotFoundError } from "renttracker-client";

import { aProperty, landlord, watched } from "./support.ts";

const SESSION = "RentTracker-Session";
const NOWHERE = "0190b5a8-dead-7000-8000-000000000001";

/** A `fetch` whose answers have these tokens, in the order in which the requests were sent. */
function telling(tokens: readonly string[]) {
  return watched(async (request, nth) => {
    const answer = await fetch(request);
    const headers = new Headers(answer.headers);
    const token = tokens[nth - 1];
    if (token !== undefined) headers.set(SESSION, token);
    return new Response(answer.body, { status: answer.status, headers });
  });
}

function sent(requests: readonly Request[]): (string | null)[] {
  return requests.map((request) => request.headers.get(SESSION));
}

test("what an answer says that was seen goes along with the next request, a refusal's too", async () => {
  const { id } = await aProperty(landlord());
  const { requests, fetch: send } = telling(["one", "two", "three"]);
  const client = landlord({ fetch: send });
  await client.properties.get(id);
  await assert.rejects(client.properties.get(NOWHERE), NotFoundError);
  await client.properties.update(id, (property) => ({ ...property, suburb: "Glebe" }));
  assert.deepEqual(sent(requests), [null, "one", "two", "three"]);
});

test("of requests side by side each has seen something, and the next one asks for all of it", async () => {
  const { id } = await aProperty(landlord());
  const { requests, fetch: send } = telling(["one", "two", "three", "four", "five"]);
  const client = landlord({ fetch: send });
  await client.properties.get(id);
  await Promise.all([1, 2, 3].map(() => client.properties.get(id)));
  await client.properties.get(id);
  await client.properties.get(id);
  const [first, , , , fifth, last] = sent(requests);
  assert.equal(first, null);
  assert.deepEqual(sent(requests).slice(1, 4), ["one", "one", "one"]);
  assert.deepEqual(fifth?.split(", ").sort(), ["four", "three", "two"]);
  assert.equal(last, "five");
});

test("no more tokens are sent than the API reads, and the oldest are left out", async () => {
  const { id } = await aProperty(landlord());
  const { requests, fetch: send } = telling(Array.from({ length: 40 }, (_, nth) => `t${nth + 1}`));
  const client = landlord({ fetch: send });
  await Promise.all(Array.from({ length: 40 }, () => client.properties.get(id)));
  await client.properties.get(id);
  assert.equal(sent(requests).at(-1)?.split(", ").length, 32);
});

test("a client sends no token that no answer has had, and none if it is told so", async () => {
  const { id } = await aProperty(landlord());
  const silent = telling([]);
  const deaf = telling(["one"]);
  for (const client of [landlord({ fetch: silent.fetch }), landlord({ fetch: deaf.fetch, session: false })]) {
    await client.properties.get(id);
    await client.properties.get(id);
  }
  assert.deepEqual([...sent(silent.requests), ...sent(deaf.requests)], [null, null, null, null]);
});
