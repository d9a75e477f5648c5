import { isLosslessNumber, LosslessNumber, parse, stringify } from "lossless-json";

import { MONEY_MEMBERS } from "./generated/contract.js";
import { isMoney } from "./money.js";

/** Reads JSON. Amounts keep their digits, as text; other numbers are JavaScript's. */
export function parseExactly(text: string): unknown {
  return parse(text, (member, value) => {
    if (!isLosslessNumber(value)) return value;
    return MONEY_MEMBERS.has(member) ? value.toString() : Number(value.toString());
  });
}

/** Writes JSON. An amount becomes a JSON number with its own digits. */
export function stringifyExactly(value: unknown): string {
  const text = stringify(value, (member, value) => (MONEY_MEMBERS.has(member) ? exactNumber(member, value) : value));
  if (text === undefined) throw new TypeError("the body has no JSON");
  return text;
}

function exactNumber(member: string, value: unknown): unknown {
  if (value === undefined || value === null) return value;
  // TypeScript refuses a number already; JavaScript and casts do not.
  if (!isMoney(value)) throw new TypeError(`${member} is money: write it as text, as in "450.50", not ${String(value)}`);
  return new LosslessNumber(value);
}
