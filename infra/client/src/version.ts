/** What was read or written, and the version of it that a conditional request names. */
export interface Versioned<T> {
  value: T;
  etag: string;
}

/** What openapi-fetch resolves to. What was refused has been thrown before. */
interface Fetched<T> {
  data?: T;
  response: Response;
}

/** The body of an answer that has one. */
export function bodyOf<T>({ data, response }: Fetched<T>): NonNullable<T> {
  if (data === undefined || data === null) throw new TypeError(`${response.status} without a body`);
  return data;
}

/** The version that an answer names. */
export function etagOf({ response }: Fetched<unknown>): string {
  const etag = response.headers.get("ETag");
  // A weak one names no version: `If-Match` compares strongly, and would be refused (RFC 9110, 13.1.1).
  if (etag === null || etag.startsWith("W/")) {
    throw new TypeError(`${response.status} with the ETag ${etag}; a proxy must let it through, and not compress the answer`);
  }
  return etag;
}

/** The body of an answer, and its version. */
export function versioned<T>(fetched: Fetched<T>): Versioned<NonNullable<T>> {
  return { value: bodyOf(fetched), etag: etagOf(fetched) };
}

/** The header that asks for a write of this version alone. `"*"` is any version that is there. */
export function ifMatch(etag: string): { "If-Match": string } {
  return { "If-Match": etag };
}

/** The header that names a request which may be sent again; without a key the client makes one. */
export function idempotencyKey(key: string | undefined): { "Idempotency-Key"?: string } {
  return key === undefined ? {} : { "Idempotency-Key": key };
}
