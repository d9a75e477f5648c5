// The charts: lines drawn by uPlot, and beside each the same as text.

import { SPAN_SECONDS } from './history.js';
import { count, element, ms, number, percent, time } from './page.js';

/** @typedef {import('./rates.js').Point} Point */
/** @typedef {import('./history.js').History} History */
/** @typedef {{ name: keyof Point, label: string }} Line */
/**
 * @typedef {object} Chart
 * @property {string} id
 * @property {string} title
 * @property {Line[]} lines
 * @property {(value: number | null) => string} show
 * @property {[number, number]} [range] of the values, where it is always the same
 * @property {boolean} [isStepped]
 */

const STATES = ['closed', 'half open', 'open'];

/** @type {Chart[]} */
export const CHARTS = [
  {
    id: 'requests',
    title: 'Requests a second',
    lines: [{ name: 'requests', label: 'all' }, { name: 'failures', label: 'failed (5xx)' }],
    show: number,
  },
  {
    id: 'hits',
    title: 'Hit ratio by kind',
    lines: [{ name: 'listHits', label: 'lists' }, { name: 'singleHits', label: 'single' }],
    show: percent,
    range: [0, 100],
  },
  {
    id: 'latency',
    title: 'Latency by result, 99th percentile',
    lines: [{ name: 'hitMs', label: 'hit' }, { name: 'missMs', label: 'miss' }, { name: 'writeMs', label: 'write' }],
    show: ms,
  },
  {
    id: 'breaker',
    title: 'Breaker',
    lines: [{ name: 'breaker', label: 'state' }],
    show: (value) => (value === null ? 'unknown' : STATES[value]),
    range: [0, 2],
    isStepped: true,
  },
  {
    id: 'servers',
    title: 'Redis and PostgreSQL, 99th percentile',
    lines: [{ name: 'redisMs', label: 'commands of Redis' }, { name: 'postgresMs', label: 'statements' }],
    show: ms,
  },
  {
    id: 'outbox',
    title: 'Outbox',
    lines: [{ name: 'outboxRows', label: 'rows' }, { name: 'outboxSeconds', label: 'age of the oldest, s' }],
    show: count,
  },
  {
    id: 'entries',
    title: 'Entries a minute',
    lines: [
      { name: 'checked', label: 'hits compared with PostgreSQL' },
      { name: 'rejected', label: 'rejected' },
      { name: 'stale', label: 'stale' },
    ],
    show: number,
  },
  {
    id: 'instances',
    title: 'Hosts and instances',
    lines: [{ name: 'connections', label: 'connections to Redis, one each instance' }, { name: 'hosts', label: 'hosts' }],
    show: count,
    isStepped: true,
  },
];

/** A chart on the page. */
export class Figure {
  #chart;
  #history;
  /** @type {any} */
  #plot;
  #place = element('div', { class: 'plot', role: 'img' });
  #values;
  #region = element('div', { class: 'scrolls', role: 'region', tabindex: '0' });
  #details = element('details', {}, element('summary', {}, 'As a table'), this.#region);

  /**
   * @param {Chart} chart
   * @param {History} history what it shows
   */
  constructor(chart, history) {
    this.#chart = chart;
    this.#history = history;
    this.#region.setAttribute('aria-label', chart.title);
    this.#details.addEventListener('toggle', () => this.#fill());
    this.#place.setAttribute('aria-label', `Lines of the last 15 minutes: ${chart.title}. The table below has the same.`);
    this.#values = chart.lines.map(() => element('b'));
    const items = chart.lines.map(({ label }, index) =>
      element('li', { class: `series-${index}` }, element('span', {}, `${label} `, this.#values[index])),
    );
    this.figure = element(
      'figure',
      { id: `chart-${chart.id}` },
      element('figcaption', {}, chart.title),
      element('ul', { class: 'values' }, ...items),
      this.#place,
      this.#details,
    );
  }

  /** Draws anew, in the colours and the size that the page has now. */
  draw() {
    this.#plot?.destroy();
    this.#plot = null;
    const style = getComputedStyle(document.documentElement);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const { lines, range, show, isStepped } = this.#chart;
    const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
    const { uPlot } = /** @type {any} */ (globalThis);
    const paths = isStepped ? uPlot.paths.stepped({ align: 1 }) : undefined;
    const label = (/** @type {number} */ value) => show(value);
    const options = {
      width: this.#place.clientWidth,
      height: this.#place.clientHeight,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        // At first two minutes, then what there is, of 15 minutes at most.
        x: { range: (/** @type {any} */ _, /** @type {number} */ min, /** @type {number} */ max) => [Math.max(Math.min(min, max - 120), max - SPAN_SECONDS), max] },
        y: { range: range ?? ((/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ max) => [0, max > 0 ? max * 1.1 : 1]) },
      },
      axes: [{ ...axis, values: (/** @type {any} */ _, /** @type {number[]} */ ticks) => ticks.map((tick) => time(tick * 1000)), space: 80 }, { ...axis, size: 72, values: (/** @type {any} */ _, /** @type {number[]} */ ticks) => ticks.map((tick) => (isStepped && !Number.isInteger(tick) ? '' : label(tick))) }],
      series: [{}, ...lines.map((_, index) => ({ stroke: colour(`--series-${index}`), width: 2, paths, points: { show: false } }))],
    };
    this.#plot = new uPlot(options, this.#history.columns(lines.map(({ name }) => name)), this.#place);
    this.update();
  }

  /** Shows what has come. */
  update() {
    if (!this.#plot) return this.draw();
    const { lines, show } = this.#chart;
    this.#plot.setData(this.#history.columns(lines.map(({ name }) => name)));
    this.figure.dataset.points = String(this.#history.length);
    const last = this.#history.last();
    lines.forEach(({ name }, index) => (this.#values[index].textContent = show(last?.[name] ?? null)));
    if (this.#details.open) this.#fill();
  }

  #fill() {
    const { lines, show } = this.#chart;
    const heads = ['Time', ...lines.map(({ label }) => label)].map((text) => element('th', { scope: 'col' }, text));
    const rows = this.#history.rows().map((point) => {
      const cells = lines.map(({ name }) => element('td', {}, show(point[name])));
      return element('tr', {}, element('th', { scope: 'row' }, time(point.at * 1000)), ...cells);
    });
    const table = element(
      'table',
      {},
      element('thead', {}, element('tr', {}, ...heads)),
      element('tbody', {}, ...rows),
    );
    // The region stays, and with it how far it is scrolled.
    this.#region.replaceChildren(table);
  }
}
