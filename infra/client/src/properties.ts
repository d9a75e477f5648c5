import type { Client } from "openapi-fetch";

import type { components, operations, paths } from "./generated/schema.js";
import { everyItem } from "./pages.js";
import { bodyOf, idempotencyKey, ifMatch, versioned, type Versioned } from "./version.js";

export type Property = components["schemas"]["Property"];
export type PropertyDraft = components["schemas"]["PropertyDraft"];
/** How a list is ordered and filtered, and how many items are read at a time. */
export type PropertyList = Omit<NonNullable<operations["listProperties"]["parameters"]["query"]>, "after" | "pageNumber">;

/** A landlord's rental properties. */
export class Properties {
  readonly #api: Client<paths>;

  constructor(api: Client<paths>) {
    this.#api = api;
  }

  /** Every property, read by cursor. */
  list(query: PropertyList = {}): AsyncGenerator<Property, void, undefined> {
    return everyItem(async (after) => bodyOf(await this.#api.GET("/api/properties", { params: { query: { ...query, after } } })));
  }

  async get(id: string): Promise<Versioned<Property>> {
    return versioned(await this.#api.GET("/api/properties/{id}", { params: { path: { id } } }));
  }

  /** Adds a property, once, however often it has to be sent. */
  async create(body: PropertyDraft, options: { idempotencyKey?: string } = {}): Promise<Versioned<Property>> {
    const header = idempotencyKey(options.idempotencyKey);
    return versioned(await this.#api.POST("/api/properties", { params: { header }, body }));
  }

  /** Replaces the version that `etag` names; throws a `PreconditionFailedError` when there is another by now. */
  async replace(id: string, body: PropertyDraft, etag: string): Promise<Versioned<Property>> {
    const params = { path: { id }, header: ifMatch(etag) };
    return versioned(await this.#api.PUT("/api/properties/{id}", { params, body }));
  }

  /** Reads, has the draft made of what was read, and replaces exactly that. */
  async update(id: string, change: (current: Property) => PropertyDraft): Promise<Versioned<Property>> {
    const { value, etag } = await this.get(id);
    return this.replace(id, change(value), etag);
  }

  /** Removes the version that `etag` names, and its payments. */
  async delete(id: string, etag: string): Promise<void> {
    await this.#api.DELETE("/api/properties/{id}", { params: { path: { id }, header: ifMatch(etag) } });
  }
}
