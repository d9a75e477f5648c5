// Elements of the page, and how values are written.

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * The element of the page with this id.
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}

const NOTHING = '–';

/** @param {number | null} value */
export const number = (value) => (value === null ? NOTHING : value.toFixed(value < 10 ? 1 : 0));

/** @param {number | null} value */
export const count = (value) => (value === null ? NOTHING : String(Math.round(value * 10) / 10));

/** @param {number | null} value of 100 */
export const percent = (value) => (value === null ? NOTHING : `${value.toFixed(value < 99.95 && value > 99 ? 1 : 0)} %`);

/** @param {number | null} value */
export const ms = (value) => (value === null ? NOTHING : `${value.toFixed(value < 10 ? 1 : 0)} ms`);

/** @param {number | null | undefined} bytes */
export const megabytes = (bytes) => (bytes == null ? NOTHING : `${(bytes / 2 ** 20).toFixed(1)} MiB`);

/** The time of day. @param {number | string} at */
export const time = (at) => new Date(at).toLocaleTimeString([], { hourCycle: 'h23' });

/** The time of day, behind the date unless that is today's. @param {number | string} at */
export const moment = (at) => {
  const day = new Date(at);
  return day.toDateString() === new Date().toDateString() ? time(at) : `${day.toLocaleDateString()} ${time(at)}`;
};
