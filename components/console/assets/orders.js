// What an operator may order, and the requests that these orders are.

/**
 * @typedef {object} Order
 * @property {string} title
 * @property {string} text what it does, for the confirmation
 * @property {string} method
 * @property {string} path
 * @property {Record<string, unknown>} [body]
 */
/** @typedef {Record<string, string>} Fields of the order's form */

/** @type {Record<string, string>} */
const MODES = {
  auto: 'Failures of Redis open the breaker, and a probe closes it.',
  forced_open: 'Redis is not used and not probed. Every read goes to PostgreSQL until another mode is ordered.',
  forced_closed: 'Failures of Redis do not open the breaker. A missed invalidation still does.',
  observe: 'Failures of Redis do not open the breaker; the log says when they would have.',
};

/** The words of a list. @param {string} text */
const list = (text) => text.split(',').map((word) => word.trim()).filter(Boolean);

/** From the name of an order and the fields of its form to the order. @type {Record<string, (fields: Fields) => Order>} */
export const ORDERS = {
  breaker: ({ mode }) => ({
    title: `Order the mode ${mode.replaceAll('_', ' ')}?`,
    text: MODES[mode],
    method: 'PUT',
    path: '/api/cache/breaker',
    body: { mode },
  }),
  drain: () => ({
    title: 'Drain the outbox?',
    text: 'Redis is told now of each invalidation that waits. Otherwise the next write or probe does it.',
    method: 'POST',
    path: '/api/cache/drain',
  }),
  purge: ({ pattern, tenant }) => ({
    title: `Purge ${pattern} of ${tenant}?`,
    text: 'The values with these names are removed from the cache. The next reads get them from PostgreSQL.',
    method: 'DELETE',
    path: `/api/cache?${new URLSearchParams({ pattern, tenant })}`,
  }),
  warm: ({ tenants, hours }) => {
    const named = list(tenants);
    const whose = named.length > 0 ? { tenants: named } : { activeWithinHours: Number(hours) };
    const who = named.length > 0 ? named.join(', ') : `landlords active within ${hours} hours`;
    return {
      title: 'Warm the cache?',
      text: `Lists, properties and first pages of payments of ${who} are read from PostgreSQL and stored. A request works for 5 s and on 250 entries at most; “Go on” sends the next.`,
      method: 'POST',
      path: '/api/cache/warm',
      body: whose,
    };
  },
  verify: ({ sample, tenant }) => ({
    title: 'Verify the cache?',
    text: `Up to ${sample} entries${tenant ? ` of ${tenant}` : ''} are compared with PostgreSQL. Inconsistent ones are deleted.`,
    method: 'POST',
    path: '/api/cache/verify',
    body: tenant ? { sample: Number(sample), tenant } : { sample: Number(sample) },
  }),
};

/**
 * The order that goes on where an answer says that it stopped; null when nothing is left.
 * @param {Order} order
 * @param {any} answer
 * @returns {Order | null}
 */
export function next(order, answer) {
  const cursor = answer?.cursor;
  if (typeof cursor !== 'string') return null;
  if (order.body) return { ...order, body: { ...order.body, cursor } };
  const [path, query] = order.path.split('?');
  const parameters = new URLSearchParams(query);
  parameters.set('cursor', cursor);
  return { ...order, path: `${path}?${parameters}` };
}

/**
 * The members of an answer as pairs of texts, those of members of members behind a dot.
 * @param {any} answer
 * @param {string} [before]
 * @returns {[string, string][]}
 */
export function members(answer, before = '') {
  return Object.entries(answer ?? {}).flatMap(([name, value]) =>
    value !== null && typeof value === 'object'
      ? members(value, `${before}${name}.`)
      : [/** @type {[string, string]} */ ([`${before}${name}`, String(value ?? '–')])],
  );
}

/** The request of an order, as it is shown before it is sent. @param {Order} order */
export function request({ method, path, body }) {
  return `${method} ${path}${body ? ` ${JSON.stringify(body)}` : ''}`;
}
