// What was seen in the last 15 minutes.

/** @typedef {import('./reading.js').Reading} Reading */
/** @typedef {import('./rates.js').Point} Point */

/** For how long points are kept, in seconds. */
export const SPAN_SECONDS = 15 * 60;
/** Over how long rates are taken, in milliseconds: instances pass their counts on four times a second, so that a shorter time is noise. */
export const WINDOW_MS = 10_000;
/** How far apart the rows of a chart's table are, in seconds. */
const ROW_SECONDS = 60;

/** Points of the last 15 minutes, and the readings that the next rates are taken over. */
export class History {
  /** @type {Point[]} */
  #points = [];
  /** @type {Reading[]} */
  #readings = [];

  /**
   * The reading that rates up to `now` are taken from: the oldest within the window, or the last one where a browser has let a page
   * in the background wait for longer.
   * @param {number} now in milliseconds
   */
  before(now) {
    const recent = this.#readings.filter(({ at }) => at >= now - WINDOW_MS);
    this.#readings = recent.length > 0 ? recent : this.#readings.slice(-1);
    return this.#readings[0];
  }

  /** @param {Reading} reading */
  keep(reading) {
    this.#readings.push(reading);
  }

  /** @param {Point} point */
  add(point) {
    this.#points.push(point);
    const oldest = point.at - SPAN_SECONDS;
    this.#points.splice(0, this.#points.findIndex(({ at }) => at >= oldest));
  }

  /** Nothing is known of this moment: a gap in every line. @param {number} at in seconds */
  addGap(at) {
    const last = this.last();
    if (!last) return;
    /** @type {any} */
    const nothing = Object.fromEntries(Object.keys(last).map((name) => [name, null]));
    this.add({ ...nothing, at });
  }

  last() {
    return this.#points.at(-1);
  }

  get length() {
    return this.#points.length;
  }

  /**
   * The columns that a chart draws: times, then a column for each name.
   * @param {(keyof Point)[]} names
   */
  columns(names) {
    return [this.#points.map(({ at }) => at), ...names.map((name) => this.#points.map((point) => point[name]))];
  }

  /** A point for each minute, the newest first. */
  rows() {
    /** @type {Point[]} */
    const rows = [];
    for (const point of this.#points.toReversed()) {
      const last = rows.at(-1);
      if (!last || last.at - point.at >= ROW_SECONDS) rows.push(point);
    }
    return rows;
  }
}
