// The breaker's changes, as they were seen since sign-in.

/**
 * The breaker, as `GET /api/cache/breaker` answers.
 * @typedef {object} Breaker
 * @property {string} state
 * @property {string} mode
 * @property {string | null} since
 * @property {string | null} retryAt
 * @property {string} reason
 * @property {number} failedProbes
 * @property {boolean} isSuspected
 * @property {number} epoch
 */
/** @typedef {{ at: string, state: string, mode: string, reason: string, epoch: number }} Change */

/** How many changes are kept. */
export const MAX_CHANGES = 50;

/** @type {Record<string, number>} */
const LEVELS = { closed: 0, half_open: 1, open: 2 };

/** The state as a number, for its chart. @param {string} state */
export function level(state) {
  return LEVELS[state] ?? null;
}

/** A state or a mode as people write it. @param {string} word */
export function words(word) {
  return word.replaceAll('_', ' ');
}

/**
 * The changes, newest first, with this one if it is one.
 * @param {Change[]} changes
 * @param {Breaker} breaker
 * @param {string} now
 */
export function withChange(changes, { state, mode, reason, epoch, since }, now) {
  const last = changes[0];
  const isKnown = last && last.state === state && last.mode === mode && last.reason === reason && last.epoch === epoch;
  if (isKnown) return changes;
  // Of its state the record says when it began; an order that leaves the state alone has no time of its own.
  const at = since && last?.state !== state ? since : now;
  return [{ at, state, mode, reason, epoch }, ...changes].slice(0, MAX_CHANGES);
}
