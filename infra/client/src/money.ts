/** An amount of money: its decimal digits, such as `"450.50"`. A number would round them. */
export type Money = `${number}`;

/** A decimal number, as JSON and every library for decimals write it. */
const DIGITS = /^-?(0|[1-9]\d*)(\.\d+)?$/;

/** Whether a value is the digits of an amount. */
export function isMoney(value: unknown): value is Money {
  return typeof value === "string" && DIGITS.test(value);
}

/** An amount from text of any origin, such as an input field or a library for decimals. */
export function money(text: string): Money {
  if (!isMoney(text)) throw new TypeError(`no amount of money: ${JSON.stringify(text)}; write it as in "450.50"`);
  return text;
}
