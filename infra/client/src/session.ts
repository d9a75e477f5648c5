import type { Middleware } from "openapi-fetch";

const SESSION = "RentTracker-Session";
/** How many tokens the API reads. */
const MOST = 32;

/**
 * Keeps the token of an answer, which says what the landlord has seen, and sends it with the next request. Answers to requests that
 * were under way side by side do not know of each other: then the tokens of all of them are sent.
 */
export function withSession(): Middleware {
  const tokens = new Set<string>();
  return {
    onRequest({ request }) {
      if (tokens.size > 0 && !request.headers.has(SESSION)) request.headers.set(SESSION, [...tokens].join(", "));
      return request;
    },
    onResponse({ request, response }) {
      const token = response.headers.get(SESSION);
      if (token === null) return undefined;
      // It says what these say, and more.
      for (const sent of request.headers.get(SESSION)?.split(", ") ?? []) tokens.delete(sent);
      tokens.add(token);
      for (const oldest of [...tokens].slice(0, -MOST)) tokens.delete(oldest);
      return undefined;
    },
  };
}
