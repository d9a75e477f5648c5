// Orders: each is confirmed before it is sent, and its answer is shown below it.

import { refusal } from './api.js';
import { next, members, ORDERS, request } from './orders.js';
import { byId, element } from './page.js';

/** @typedef {import('./api.js').Api} Api */
/** @typedef {import('./orders.js').Order} Order */

const dialog = byId('confirm', HTMLDialogElement);
/** What is done when the open confirmation is given. @type {(() => void) | null} */
let confirmed = null;

byId('confirm-cancel', HTMLButtonElement).addEventListener('click', () => dialog.close());
byId('confirm-send', HTMLButtonElement).addEventListener('click', () => {
  const send = confirmed;
  dialog.close();
  send?.();
});
dialog.addEventListener('close', () => (confirmed = null));

/**
 * @param {Order} order
 * @param {() => void} send
 */
function confirm(order, send) {
  byId('confirm-title', HTMLElement).textContent = order.title;
  byId('confirm-text', HTMLElement).textContent = order.text;
  byId('confirm-request', HTMLElement).textContent = request(order);
  confirmed = send;
  dialog.showModal();
}

/**
 * Sends an order, and shows its answer in `place` if the same operator is still signed in.
 * @param {() => Api | null} current of who is signed in
 * @param {Order} order
 * @param {HTMLOutputElement} place
 */
async function send(current, order, place) {
  const api = current();
  if (!api) return;
  place.replaceChildren('Sent…');
  try {
    const answer = await api.order(order.method, order.path, order.body);
    if (current() !== api) return;
    if (answer.status !== 200) {
      place.replaceChildren(element('p', { class: 'bad' }, `Refused: ${refusal(answer)}`));
      return;
    }
    const pairs = members(answer.body).flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]);
    place.replaceChildren(element('p', { class: 'good' }, 'Done.'), element('dl', {}, ...pairs));
    const more = next(order, answer.body);
    if (more) {
      const goOn = element('button', { type: 'button' }, 'Go on');
      goOn.addEventListener('click', () => {
        place.focus();
        void send(current, more, place);
      });
      place.append(goOn);
    }
  } catch (error) {
    if (current() !== api) return;
    place.replaceChildren(element('p', { class: 'bad' }, `No answer: ${error instanceof Error ? error.message : error}`));
  }
}

/**
 * Has the forms of orders ask for a confirmation, and send.
 * @param {() => Api | null} current of who is signed in
 */
export function takeOrders(current) {
  for (const form of document.querySelectorAll('form')) {
    const make = ORDERS[form.dataset.order ?? ''];
    const place = form.querySelector('output');
    if (!make || !place) continue;
    // So that the focus has somewhere to be when the button that had it is gone.
    place.tabIndex = -1;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const fields = [...new FormData(form)].map(([name, value]) => [name, String(value).trim()]);
      const order = make(Object.fromEntries(fields));
      confirm(order, () => void send(current, order, place));
    });
  }
}

/** Forgets the answers that are shown. */
export function forgetAnswers() {
  dialog.close();
  for (const place of document.querySelectorAll('output')) place.replaceChildren();
}
