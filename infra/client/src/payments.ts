import type { Client } from "openapi-fetch";

import type { components, operations, paths } from "./generated/schema.js";
import { everyItem } from "./pages.js";
import { bodyOf, etagOf, idempotencyKey, ifMatch, versioned, type Versioned } from "./version.js";

export type Payment = components["schemas"]["Payment"];
export type PaymentDraft = components["schemas"]["PaymentDraft"];
export type PaymentMethod = components["schemas"]["PaymentMethod"];
/** How a list is ordered and filtered, and how many items are read at a time. */
export type PaymentList = Omit<NonNullable<operations["listPayments"]["parameters"]["query"]>, "after" | "pageNumber">;

const LIST = "/api/properties/{propertyId}/payments";
const ONE = "/api/properties/{propertyId}/payments/{paymentId}";

/** The payments for a property. */
export class Payments {
  readonly #api: Client<paths>;

  constructor(api: Client<paths>) {
    this.#api = api;
  }

  /** Every payment for a property, read by cursor: the newest first, unless the query says otherwise. */
  list(propertyId: string, query: PaymentList = {}): AsyncGenerator<Payment, void, undefined> {
    const path = { propertyId };
    return everyItem(async (after) => bodyOf(await this.#api.GET(LIST, { params: { path, query: { ...query, after } } })));
  }

  async get(propertyId: string, paymentId: string): Promise<Versioned<Payment>> {
    return versioned(await this.#api.GET(ONE, { params: { path: { propertyId, paymentId } } }));
  }

  /** Records a payment, once, however often it has to be sent. */
  async create(propertyId: string, body: PaymentDraft, options: { idempotencyKey?: string } = {}): Promise<Versioned<Payment>> {
    const params = { path: { propertyId }, header: idempotencyKey(options.idempotencyKey) };
    return versioned(await this.#api.POST(LIST, { params, body }));
  }

  /** Replaces the version that `etag` names; the new one's. Throws a `PreconditionFailedError` when there is another by now. */
  async replace(propertyId: string, paymentId: string, body: PaymentDraft, etag: string): Promise<string> {
    const params = { path: { propertyId, paymentId }, header: ifMatch(etag) };
    return etagOf(await this.#api.PUT(ONE, { params, body }));
  }

  /** Removes the version that `etag` names. */
  async delete(propertyId: string, paymentId: string, etag: string): Promise<void> {
    await this.#api.DELETE(ONE, { params: { path: { propertyId, paymentId }, header: ifMatch(etag) } });
  }

  /** The ways of paying that a payment can name. */
  async methods(): Promise<PaymentMethod[]> {
    return bodyOf(await this.#api.GET("/api/paymentmethods"));
  }
}
