// Requests to the API that serves the console.

/** How long an answer is waited for, in milliseconds. Work that an operator orders takes up to 5 s. */
const PATIENCE_MS = 4_000;
const ORDER_PATIENCE_MS = 30_000;

/** @typedef {{ status: number, body: any, text: string }} Answer `body` is the JSON in it, if that is what it is */

/** Asks with an operator's token, which is kept here and nowhere else. */
export class Api {
  /** @type {string} */
  #token;

  /** @param {string} token */
  constructor(token) {
    this.#token = token;
  }

  /** @param {string} path */
  get(path) {
    return this.#send('GET', path, undefined, PATIENCE_MS);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   */
  order(method, path, body) {
    return this.#send(method, path, body, ORDER_PATIENCE_MS);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} body
   * @param {number} patience
   * @returns {Promise<Answer>}
   */
  async #send(method, path, body, patience) {
    /** @type {Record<string, string>} */
    const headers = { Authorization: `Bearer ${this.#token}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
      signal: AbortSignal.timeout(patience),
    });
    const text = await response.text();
    const isJson = response.headers.get('Content-Type')?.includes('json') ?? false;
    return { status: response.status, text, body: isJson ? JSON.parse(text) : null };
  }
}

/** What an answer says that is no success. @param {Answer} answer */
export function refusal({ status, body }) {
  const errors = Object.entries(body?.errors ?? {}).map(([member, messages]) => `${member} ${messages}`);
  return [`${status} ${body?.title ?? ''}`.trim(), body?.detail, ...errors].filter(Boolean).join('. ');
}
