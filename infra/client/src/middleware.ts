import type { Middleware } from "openapi-fetch";

import { KEYED_OPERATIONS } from "./generated/contract.js";
import { parseExactly } from "./json.js";
import { problemOf } from "./problem.js";

const KEY = "Idempotency-Key";

/** Sends the token, which is asked for anew each time: it may have been renewed. */
export function withToken(token: () => string | Promise<string>): Middleware {
  return {
    async onRequest({ request }) {
      if (!request.headers.has("Authorization")) request.headers.set("Authorization", `Bearer ${await token()}`);
      return request;
    },
  };
}

/** Gives each write that takes one a key, unless the caller did: the same one for every attempt. */
export const withIdempotencyKey: Middleware = {
  onRequest({ request, schemaPath }) {
    if (KEYED_OPERATIONS.has(`${request.method} ${schemaPath}`) && !request.headers.has(KEY)) {
      request.headers.set(KEY, crypto.randomUUID());
    }
    return request;
  },
};

/** Throws what is refused. */
export const throwingProblems: Middleware = {
  async onResponse({ response }) {
    if (response.status >= 400) throw await problemOf(response);
  },
};

/** Reads answers without rounding. */
export const readingExactly: Middleware = {
  onResponse({ response }) {
    if (!response.headers.get("Content-Type")?.startsWith("application/json")) return undefined;
    const { status, statusText } = response;
    const headers = new Headers(response.headers);
    // Without it openapi-fetch parses the text itself.
    if (!headers.has("Content-Length")) headers.set("Content-Length", "unknown");
    return new ExactResponse(response.body, { status, statusText, headers });
  },
};

class ExactResponse extends Response {
  override async json(): Promise<unknown> {
    return parseExactly(await this.text());
  }
}
