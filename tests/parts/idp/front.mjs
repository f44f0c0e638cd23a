// The issuer's own port. It hands every request to the provider behind it, counts it, and on demand spoils the answer.
import { Agent, createServer, request as send } from 'node:http';
import { beforeAnswer, listen, readBody } from '../lib/http.mjs';
import { sha256 } from '../lib/events.mjs';
import { applyFault } from './faults.mjs';
import { tamperRedirect, tamperToken } from './tamper.mjs';
import { EXCHANGE, DEVICE } from './defaults.mjs';

const GRANTS = { authorization_code: 'token-code', refresh_token: 'token-refresh', [EXCHANGE]: 'token-exchange', [DEVICE]: 'token-device' };
const PATHS = {
  '/.well-known/openid-configuration': 'discovery', '/.well-known/oauth-authorization-server': 'discovery',
  '/jwks': 'jwks', '/auth': 'authorize', '/request': 'par', '/me': 'userinfo', '/device/auth': 'device', '/device': 'device-page',
  '/token/introspection': 'introspection', '/token/revocation': 'revocation', '/session/end': 'end-session',
  '/exchange-json': 'token-exchange', '/token-introspection': 'token-introspection', '/exchange-revoke': 'exchange-revoke',
};
/** Counters carry shorter names than endpoints. */
const EVENTS = {
  'token-refresh': 'refresh', 'token-exchange': 'exchange', 'token-code': 'code', 'token-device': 'device-poll', 'token-other': 'token-other',
  revocation: 'revoke', introspection: 'introspect', 'token-introspection': 'introspect-role', 'exchange-revoke': 'revoke-role',
};

function classify(path, body) {
  if (path === '/token') return GRANTS[new URLSearchParams(body.toString()).get('grant_type')] ?? 'token-other';
  if (PATHS[path]) return PATHS[path];
  if (/^\/auth\//.test(path)) return 'resume';
  if (/^\/interaction\//.test(path)) return 'interaction';
  return 'page';
}

const pickHash = (value) => (typeof value === 'string' && value ? sha256(value) : undefined);

function requestFacts(request, body) {
  if (request.method !== 'POST') return {};
  const text = body.toString();
  let form;
  try {
    form = /json/.test(request.headers['content-type'] ?? '') ? new Map(Object.entries(JSON.parse(text))) : new URLSearchParams(text);
  } catch {
    return { unreadable: true };
  }
  return {
    client_id: form.get('client_id') ?? undefined, scope: form.get('scope') ?? undefined,
    audience: form.get('audience') ?? undefined, resource: form.get('resource') ?? undefined,
    sent: pickHash(form.get('refresh_token') ?? form.get('subject_token') ?? form.get('token')),
  };
}

function answerFacts(answer) {
  if (!/json/.test(answer.headers['content-type'] ?? '')) return {};
  try {
    const value = JSON.parse(answer.body.toString());
    return { error: value.error, got: pickHash(value.refresh_token), access: pickHash(value.access_token) };
  } catch {
    return {};
  }
}

export class Front {
  arrived = {};
  accepted = {};
  peak = {};
  overrides = []; // { endpoint, values, count }
  #now = {};

  constructor({ options, keys, events, faults, tampering }) {
    Object.assign(this, { options, keys, events, faults, tampering });
    this.agent = new Agent({ keepAlive: true });
    this.server = createServer({ keepAliveTimeout: 30_000, requestTimeout: 0 }, (request, response) => {
      this.#serve(request, response).catch((error) => {
        process.stderr.write(`front: ${error.stack}\n`);
        response.destroy();
      });
    });
  }

  async open(port) {
    this.port = await listen(this.server, port ?? this.port ?? 0);
    return this.port;
  }

  async close() {
    await new Promise((resolve) => {
      this.server.close(resolve);
      this.server.closeAllConnections();
    });
  }

  #forward(request, body) {
    return new Promise((resolve, reject) => {
      const { connection, 'transfer-encoding': _chunked, ...headers } = request.headers;
      const inner = send({
        host: '127.0.0.1', port: this.inner, method: request.method, path: request.url, agent: this.agent,
        headers: { ...headers, ...(body.length || request.method === 'POST' ? { 'content-length': body.length } : {}) },
      }, async (answer) => {
        const { connection: _c, 'keep-alive': _k, 'transfer-encoding': _t, ...rest } = answer.headers;
        try { resolve({ status: answer.statusCode, headers: rest, body: await readBody(answer) }); } catch (error) { reject(error); }
      });
      inner.on('error', reject);
      inner.end(body);
    });
  }

  async #spoil(endpoint, answer) {
    if (endpoint.startsWith('token-') && answer.status === 200 && endpoint !== 'token-exchange') await this.#spoilToken(endpoint, answer);
    if (answer.status === 200) this.#override(endpoint, answer);
    if (answer.headers.location && /[?&](code|error)=/.test(answer.headers.location)) {
      const plan = this.tampering.takeRedirect();
      if (plan) answer.headers.location = tamperRedirect(answer.headers.location, plan);
    }
    return answer;
  }

  async #spoilToken(endpoint, answer) {
    if (!/json/.test(answer.headers['content-type'] ?? '')) return;
    const value = JSON.parse(answer.body.toString());
    if (!value.id_token) return;
    if (endpoint === 'token-refresh' && !this.options.id_token_at_refresh) delete value.id_token;
    const plan = value.id_token && this.tampering.takeToken(endpoint);
    if (plan) value.id_token = await tamperToken(value.id_token, plan, this.keys);
    answer.body = Buffer.from(JSON.stringify(value));
  }

  /** Members of a JSON answer put in, replaced, or with null taken out. */
  #override(endpoint, answer) {
    const index = this.overrides.findIndex((each) => each.endpoint === endpoint);
    if (index < 0 || !/json/.test(answer.headers['content-type'] ?? '')) return;
    const plan = this.overrides[index];
    plan.count -= 1;
    if (plan.count === 0) this.overrides.splice(index, 1);
    const changed = { ...JSON.parse(answer.body.toString()), ...plan.values };
    for (const [name, value] of Object.entries(changed)) if (value === null) delete changed[name];
    answer.body = Buffer.from(JSON.stringify(changed));
  }

  #begin(event) {
    this.arrived[event] = (this.arrived[event] ?? 0) + 1;
    this.#now[event] = (this.#now[event] ?? 0) + 1;
    this.peak[event] = Math.max(this.peak[event] ?? 0, this.#now[event]);
    this.events.touch();
  }

  #end(event, entry) {
    this.#now[event] -= 1;
    this.events.add(entry);
  }

  async #serve(request, response) {
    const body = await readBody(request);
    const path = request.url.split('?')[0].replace(this.options.issuer_path, '');
    const endpoint = classify(path, body);
    const event = EVENTS[endpoint] ?? endpoint;
    const fault = this.faults.take(endpoint);
    const entry = { event, method: request.method, path, agent: request.headers['user-agent'], ...requestFacts(request, body), fault: fault?.mode };
    const real = async () => {
      const genuine = await this.#forward(request, body);
      Object.assign(entry, { provider: genuine.status, ...answerFacts(genuine) });
      if (genuine.status < 400) this.accepted[event] = (this.accepted[event] ?? 0) + 1;
      this.events.touch();
      return this.#spoil(endpoint, genuine);
    };
    beforeAnswer(response, (status) => this.#end(event, { ...entry, status }));
    this.#begin(event);
    if (fault) {
      await applyFault(fault, { faults: this.faults, control: this.control }, response, real);
      return;
    }
    const answer = await real();
    response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
    response.end(answer.body);
  }

  reset() {
    this.arrived = {};
    this.accepted = {};
    this.peak = {};
    this.events.clear();
  }
}
