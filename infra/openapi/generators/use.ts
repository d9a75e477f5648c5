// What each generated client has to do: one write and one read, on the API that `RENTTRACKER_URL` and `RENTTRACKER_TOKEN` name.

import assert from "node:assert/strict";

export const baseUrl = process.env["RENTTRACKER_URL"] ?? "";
export const token = process.env["RENTTRACKER_TOKEN"] ?? "";

/** What is written. The rent is one that a binary float has exactly. */
export const DRAFT = { address: "1 Generator St", weeklyRentAmount: 450.5, leaseStartDate: "2026-01-01T00:00:00Z" };

interface Read {
  id: string;
  address: string;
  weeklyRentAmount?: number | null;
}

/** Ends the program with an error unless the same property was written, written again under its key, and read. */
export function check(generator: string, written: Read | undefined, again: Read | undefined, read: Read | undefined): void {
  assert.deepEqual([read?.address, read?.weeklyRentAmount], [DRAFT.address, DRAFT.weeklyRentAmount]);
  assert.ok(read?.id && read.id === written?.id && read.id === again?.id, "one property, and it was read");
  console.log(`${generator}: wrote and read ${read.id}`);
}
