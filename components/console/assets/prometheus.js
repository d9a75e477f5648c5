// Reads what `GET /metrics` answers: Prometheus's text-based format 0.0.4.

/**
 * A value of a series.
 * @typedef {{ name: string, labels: Record<string, string>, value: number }} Sample
 */

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?[ \t]+(\S+)(?:[ \t]+-?\d+)?$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** @type {Record<string, number>} */
const WORDS = { '+Inf': Infinity, '-Inf': -Infinity, NaN: NaN };

/** @param {string} text as it is between quotation marks */
function unescaped(text) {
  return text.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character));
}

/**
 * All samples of a text. Lines that are none are left out.
 * @param {string} text
 * @returns {Sample[]}
 */
export function parse(text) {
  const samples = [];
  for (const line of text.split('\n')) {
    const found = line.startsWith('#') ? null : LINE.exec(line.trim());
    if (!found) continue;
    const [, name, written = '', number] = found;
    /** @type {Record<string, string>} */
    const labels = {};
    for (const [, label, value] of written.matchAll(LABEL)) labels[label] = unescaped(value);
    samples.push({ name, labels, value: number in WORDS ? WORDS[number] : Number(number) });
  }
  return samples;
}
