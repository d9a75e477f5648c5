import createClient, { type Client } from "openapi-fetch";

import type { paths } from "./generated/schema.js";
import { stringifyExactly } from "./json.js";
import { readingExactly, throwingProblems, withIdempotencyKey, withToken } from "./middleware.js";
import { Payments } from "./payments.js";
import { Properties } from "./properties.js";
import { ATTEMPTS, retrying, type Attempts } from "./retry.js";
import { withSession } from "./session.js";

/** What a client needs to know. */
export interface Options {
  /** Where the API is, without `/api`. */
  baseUrl: string;
  /** The landlord's token, asked for before each request. */
  token: () => string | Promise<string>;
  /** How often and how long it tries. */
  attempts?: Partial<Attempts>;
  /** Whether what the server says that was seen goes along with later requests, so that none shows less; it is if it is left out. */
  session?: boolean;
  /** Sends a request; `fetch` if it is left out. */
  fetch?: typeof fetch;
}

/** RentTracker's API for one landlord. */
export class RentTracker {
  /** Every operation of the API, by its path: with exact money, keys, attempts and thrown problems. */
  readonly api: Client<paths>;
  readonly properties: Properties;
  readonly payments: Payments;

  constructor({ baseUrl, token, attempts, session = true, fetch = globalThis.fetch }: Options) {
    const { count = ATTEMPTS.count, timeoutMs = ATTEMPTS.timeoutMs } = attempts ?? {};
    const send = retrying(fetch, { count, timeoutMs });
    this.api = createClient<paths>({ baseUrl, bodySerializer: stringifyExactly, fetch: send });
    this.api.use(withToken(token), withIdempotencyKey, readingExactly, throwingProblems);
    // The last one is the first that sees an answer: a refusal has seen something too.
    if (session) this.api.use(withSession());
    this.properties = new Properties(this.api);
    this.payments = new Payments(this.api);
  }
}
