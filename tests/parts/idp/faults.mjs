// Answers as broken servers, proxies and captive portals give them, put in place of the provider's.
const HTML = '<!doctype html><html><head><title>Network sign-in</title></head><body><h1>Please accept the terms</h1></body></html>';

const json = (status, value, headers = {}) => ({ status, headers: { 'content-type': 'application/json', ...headers }, body: Buffer.from(JSON.stringify(value)) });
const html = (status) => ({ status, headers: { 'content-type': 'text/html; charset=utf-8' }, body: Buffer.from(HTML) });
const empty = (status) => ({ status, headers: {}, body: Buffer.alloc(0) });

/** Modes that are an answer. Any other three-digit mode is that status with a short text. */
const ANSWERS = {
  429: () => ({ ...json(429, { error: 'slow_down' }), headers: { 'content-type': 'application/json', 'retry-after': '1' } }),
  html: () => html(503),
  html200: () => html(200),
  403: () => html(403),
  invalid_client: () => json(401, { error: 'invalid_client', error_description: 'client authentication failed' }),
  invalid_grant: () => json(400, { error: 'invalid_grant', error_description: 'grant request is invalid' }),
  invalid_request: () => json(400, { error: 'invalid_request', error_description: 'no user for this token' }),
  invalid_scope: () => json(400, { error: 'invalid_scope' }),
  unauthorized_client: () => json(400, { error: 'unauthorized_client' }),
  temporarily_unavailable: () => json(400, { error: 'temporarily_unavailable' }),
  slow_down: () => json(400, { error: 'slow_down' }),
  bare400: () => empty(400),
  bare401: () => empty(401),
  empty200: () => empty(200),
  answer: (fault) => json(fault.status ?? 200, fault.value),
  garbage200: () => ({ status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from('{"access_token":"ga') }),
  oversize200: () => ({ status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(`{"access_token":"${'x'.repeat(16 << 20)}"}`) }),
  redirect: (fault, context) => ({ status: 307, headers: { location: fault.location ?? `${context.control}/control/trap` }, body: Buffer.alloc(0) }),
};

const CONNECTION = new Set(['reset', 'hang', 'hold', 'slow', 'drip', 'truncate']);

export function checkFault(fault) {
  const mode = String(fault.mode);
  if (!fault.endpoint) throw new Error('a fault needs an endpoint');
  if (!CONNECTION.has(mode) && !(mode in ANSWERS) && !/^[1-5]\d\d$/.test(mode)) {
    throw new Error(`unknown mode ${mode}; known: ${[...CONNECTION, ...Object.keys(ANSWERS)].join(', ')}, any status`);
  }
  if (!['before', 'after', undefined].includes(fault.when)) throw new Error('when is before or after');
  return { count: 1, when: 'before', delay_ms: 0, ...fault, mode };
}

export class Faults {
  #list = [];
  #hanging = new Set();
  #held = new Set();

  add(fault) { this.#list.push(checkFault(fault)); }

  /** Takes the next fault for this endpoint; "any" stands for all, "token" for every grant. */
  take(endpoint) {
    const index = this.#list.findIndex((fault) => [endpoint, 'any'].includes(fault.endpoint) || (fault.endpoint === 'token' && endpoint.startsWith('token-')));
    if (index < 0) return null;
    const fault = this.#list[index];
    fault.count -= 1;
    if (fault.count === 0) this.#list.splice(index, 1);
    return fault;
  }

  /** No more faults; whoever hangs is cut off, whoever is held goes on. */
  clear() {
    this.#list = [];
    this.release();
    for (const response of this.#hanging) response.destroy();
    this.#hanging.clear();
  }

  /** Whoever is held gets the provider's true answer now. */
  release() {
    for (const go of this.#held) go();
    this.#held.clear();
  }

  held() { return new Promise((resolve) => { this.#held.add(resolve); }); }

  get pending() { return this.#list; }

  hang(response) {
    this.#hanging.add(response);
    response.on('close', () => this.#hanging.delete(response));
  }
}

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function write(response, { status, headers, body }) {
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.end(body);
}

async function drip(response, answer, step) {
  response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
  for (const byte of answer.body) {
    if (response.destroyed) return;
    response.write(Buffer.of(byte));
    await pause(step);
  }
  response.end();
}

/** Carries a fault out. `real()` gives the provider's own answer; "after" means that the provider has acted on the request. */
export async function applyFault(fault, context, response, real) {
  const genuine = fault.when === 'after' || ['slow', 'drip', 'truncate'].includes(fault.mode) ? await real() : null;
  if (fault.delay_ms) await pause(fault.delay_ms);
  switch (fault.mode) {
    case 'reset':
      return response.socket?.resetAndDestroy();
    case 'hang':
      return context.faults.hang(response);
    case 'hold':
      await context.faults.held();
      return write(response, genuine ?? await real());
    case 'slow':
      return write(response, genuine);
    case 'drip':
      return drip(response, genuine, fault.step_ms ?? 100);
    case 'truncate':
      response.writeHead(genuine.status, { ...genuine.headers, 'content-length': genuine.body.length });
      response.write(genuine.body.subarray(0, genuine.body.length >> 1));
      return setTimeout(() => response.destroy(), 50);
    default: {
      const make = ANSWERS[fault.mode] ?? (() => ({ status: Number(fault.mode), headers: { 'content-type': 'text/plain' }, body: Buffer.from('no\n') }));
      return write(response, make(fault, context));
    }
  }
}
