// What the tests stand on: the packed package, and the API that `RENTTRACKER_URL` and `RENTTRACKER_TOKEN` name.

import { money, RentTracker, type Options, type Property } from "renttracker-client";

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: \`cargo xtask generators\` runs these tests`);
  return value;
}

export const baseUrl = required("RENTTRACKER_URL");
export const token = required("RENTTRACKER_TOKEN");

/** A client of the landlord. */
export function landlord(options: Partial<Options> = {}): RentTracker {
  return new RentTracker({ baseUrl, token: () => token, ...options });
}

/** A new property. */
export async function aProperty(client: RentTracker): Promise<Property> {
  const { value } = await client.properties.create({ address: "1 Client St", weeklyRentAmount: money("450.50") });
  return value;
}

/** A `fetch` that notes what is sent, and may answer in place of the API. */
export function watched(instead: (request: Request, nth: number) => Promise<Response | undefined> = async () => undefined) {
  const requests: Request[] = [];
  const send: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    requests.push(request.clone());
    return (await instead(request, requests.length)) ?? fetch(request);
  };
  return { requests, fetch: send };
}
