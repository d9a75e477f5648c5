// The console: signs in, asks every two seconds how the service is, and shows it.

import { Api, refusal } from './api.js';
import { level, withChange, words } from './breaker.js';
import { CHARTS, Figure } from './charts.js';
import { forgetAnswers, takeOrders } from './confirm.js';
import { facts, showFacts } from './facts.js';
import { History } from './history.js';
import { byId, element, moment, time } from './page.js';
import { parse } from './prometheus.js';
import { point } from './rates.js';
import { reading } from './reading.js';

/** How often the service is asked, in milliseconds: what changes is seen within 5 s, and two answers a second are no load. */
const EVERY_MS = 2_000;
const BREAKER = '/api/cache/breaker';

/** @typedef {import('./breaker.js').Change} Change */
/**
 * What is kept while an operator is signed in.
 * @typedef {object} Session
 * @property {Api} api
 * @property {History} history
 * @property {Change[]} changes
 * @property {Figure[]} figures
 * @property {number | null} silentSince when it began that nothing is answered
 */

/** @type {Session | null} */
let session = null;

const notice = byId('notice', HTMLElement);
const error = byId('sign-in-error', HTMLElement);
const token = byId('token', HTMLInputElement);

/** @param {boolean} isSignedIn */
function show(isSignedIn) {
  byId('sign-in', HTMLElement).hidden = isSignedIn;
  byId('console', HTMLElement).hidden = !isSignedIn;
  byId('sign-out', HTMLElement).hidden = !isSignedIn;
}

async function signIn() {
  const api = new Api(token.value.trim());
  // What a header cannot hold was cut off where it was copied.
  error.textContent = /^[\x21-\x7e]*$/.test(token.value.trim()) ? '' : 'This is not a whole token: it has characters that no token has.';
  if (error.textContent) return;
  try {
    const answer = await api.get(BREAKER);
    if (answer.status === 401) error.textContent = 'This token is not valid: it is wrong, or has run out.';
    else if (answer.status === 403) error.textContent = 'This token has not the role Admin.';
    // 503: the breaker's record cannot be read, which is when a console is needed.
    else if (answer.status !== 200 && answer.status !== 503) error.textContent = refusal(answer);
  } catch {
    error.textContent = 'The service does not answer.';
  }
  if (error.textContent) return;
  token.value = '';
  begin(api);
}

/** @param {Api} api */
function begin(api) {
  const history = new History();
  const figures = CHARTS.map((chart) => new Figure(chart, history));
  byId('charts', HTMLElement).replaceChildren(...figures.map(({ figure }) => figure));
  /** @type {Session} */
  const begun = { api, history, changes: [], figures, silentSince: null };
  session = begun;
  show(true);
  byId('now', HTMLElement).focus();
  void follow(begun);
}

/** @param {string} why */
function signOut(why) {
  session = null;
  show(false);
  notice.textContent = '';
  error.textContent = why;
  forgetAnswers();
  byId('changes', HTMLElement).replaceChildren();
  byId('charts', HTMLElement).replaceChildren();
  byId('facts', HTMLElement).replaceChildren();
  token.focus();
}

/** Asks again and again, until the operator signs out. @param {Session} mine */
async function follow(mine) {
  while (session === mine) {
    const next = Date.now() + EVERY_MS;
    try {
      await look(mine);
    } catch (error) {
      if (session === mine) notice.textContent = `The console has failed: ${error instanceof Error ? error.message : error}`;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - Date.now())));
  }
}

/** Shows what each answer tells. One that is late or fails takes nothing from the others. @param {Session} mine */
async function look(mine) {
  const at = Date.now();
  const paths = ['/metrics', '/api/health', BREAKER];
  const [metrics, health, breaker] = await Promise.all(paths.map((path) => mine.api.get(path).catch(() => null)));
  if (session !== mine) return;
  if (breaker?.status === 401 || breaker?.status === 403) return signOut('Your token has run out. Sign in again.');
  mine.silentSince = metrics || health || breaker ? null : (mine.silentSince ?? at);
  const record = breaker?.status === 200 ? breaker.body : null;
  const told = health?.body?.status ? health.body : null;
  const now = metrics?.status === 200 ? reading(parse(metrics.text), at) : null;
  if (now) {
    mine.history.add(point(mine.history.before(at), now, record && level(record.state)));
    mine.history.keep(now);
    byId('version', HTMLElement).textContent = `Version ${now.version}`;
  } else {
    mine.history.addGap(at / 1000);
  }
  if (record) mine.changes = withChange(mine.changes, record, new Date(at).toISOString());
  const unknown = [!now && 'counts', !told && 'health', !record && 'the breaker’s record'].filter(Boolean).join(', ');
  if (mine.silentSince) notice.textContent = `The service has not answered since ${time(mine.silentSince)}.`;
  else notice.textContent = unknown && `Not answered, or not understood: ${unknown}.`;
  showFacts(byId('facts', HTMLElement), facts(told, record, now));
  showRows(byId('warnings', HTMLElement), (told?.warnings ?? []).map((/** @type {string} */ text) => element('li', {}, text)));
  showRows(byId('changes', HTMLElement), rows(mine.changes));
  if (mine.history.length > 0) mine.figures.forEach((figure) => figure.update());
}

/**
 * The rows of the table of changes.
 * @param {Change[]} changes
 */
function rows(changes) {
  return changes.map(({ at, state, mode, epoch, reason }) =>
    element('tr', {}, ...[moment(at), words(state), words(mode), String(epoch), reason].map((text) => element('td', {}, text))),
  );
}

/**
 * Shows rows in place of those that are there, unless they say the same: what an operator has selected or is reading stays.
 * @param {HTMLElement} place
 * @param {HTMLElement[]} rows
 */
function showRows(place, rows) {
  const texts = (/** @type {Iterable<Element>} */ of) => [...of].map(({ textContent }) => textContent).join('\n');
  if (texts(place.children) !== texts(rows)) place.replaceChildren(...rows);
}

/** Charts do not follow the page by themselves. */
function drawAnew() {
  if (session && session.history.length > 0) session.figures.forEach((figure) => figure.draw());
}

byId('sign-in-form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  void signIn();
});
byId('sign-out', HTMLButtonElement).addEventListener('click', () => signOut(''));
window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAnew);
new ResizeObserver(drawAnew).observe(byId('charts', HTMLElement));
// A page that is only kept aside, to come back at once, keeps no token.
window.addEventListener('pagehide', () => session && signOut(''));
takeOrders(() => session?.api ?? null);
