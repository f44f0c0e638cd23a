// The hub's own token endpoint: ID tokens of trusted publishers, and the exchange of an organization for its members.
import { randomBytes } from 'node:crypto';
import { load } from '../lib/modules.mjs';
import { basicCredentials, readBody, sendJson } from '../lib/http.mjs';
import { sha256 } from '../lib/events.mjs';
import { jwksByDiscovery } from './token.mjs';

const jose = await load('jose');
const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token';
const EMAIL = 'urn:huggingface:token-type:user-email';
const SCOPES = { 'read-repos': ['read'], 'write-repos': ['read', 'write'], 'manage-repos': ['read', 'write', 'manage'] };

class Refusal extends Error {
  constructor(error, description, status = 400) {
    super(description);
    Object.assign(this, { error, status });
  }
}

async function keysOf(issuer) {
  const found = await jwksByDiscovery(issuer);
  if (!found) throw new Refusal('invalid_grant', 'the issuer does not say who it is');
  return jose.createRemoteJWKSet(new URL(found), { cooldownDuration: 0 });
}

/** Claims and resource are compared exactly, so a pattern would never match: whoever writes one is told. */
export function exactPublisher({ issuer, resource, claims = {}, read_only = false }) {
  for (const value of [issuer, resource, ...Object.values(claims)]) {
    if (typeof value !== 'string' || value === '' || value.includes('*')) throw new Error(`a trusted publisher names exact values: ${JSON.stringify(value)}`);
  }
  return { issuer, resource, claims, read_only };
}

export class Trust {
  #issued = new Map(); // SHA-256 of a token -> its claims
  #keys = new Map();
  answers = []; // { values, count }: members of the next answers that are put in or replaced

  constructor(options, url) {
    this.options = options;
    this.url = url;
  }

  /** Claims of a token that this hub issued, or undefined. */
  find(token) { return this.#issued.get(sha256(token)); }

  revoke(hash) { return this.#issued.delete(hash); }

  #issue(prefix, claims, seconds) {
    const token = `${prefix}${randomBytes(24).toString('base64url')}`;
    this.#issued.set(sha256(token), { ...claims, jti: randomBytes(8).toString('hex'), exp: Math.floor(Date.now() / 1000) + seconds });
    return { access_token: token, token_type: 'bearer', expires_in: seconds, issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' };
  }

  async #publisher({ subject_token: token, resource }) {
    if (!token || !resource) throw new Refusal('invalid_request', 'subject_token and resource are required');
    let issuer;
    try { issuer = jose.decodeJwt(token).iss; } catch { throw new Refusal('invalid_grant', 'subject_token is not a token'); }
    const candidates = this.options.trusted_publishers.filter((each) => each.issuer === issuer && each.resource === resource);
    if (candidates.length === 0) throw new Refusal('invalid_grant', 'no such trusted publisher');
    if (!this.#keys.has(issuer)) this.#keys.set(issuer, await keysOf(issuer));
    const { payload } = await jose.jwtVerify(token, this.#keys.get(issuer), { issuer, audience: this.url, requiredClaims: ['exp', 'sub'] })
      .catch((error) => { throw new Refusal('invalid_grant', `subject_token: ${error.code}`); });
    if (payload.aud !== this.url) throw new Refusal('invalid_grant', 'subject_token: aud must be this hub alone');
    // Claims are compared exactly; nothing is a pattern here.
    const publisher = candidates.find(({ claims }) => Object.entries(claims).every(([name, value]) => payload[name] === value));
    if (!publisher) throw new Refusal('invalid_grant', 'claims do not match');
    const actions = publisher.read_only ? ['read'] : ['read', 'write'];
    return this.#issue('hf_jwt_', { sub: `${issuer} ${payload.sub}`, repository: resource, actions }, this.options.hub_token_seconds);
  }

  #organization({ subject_token: email, scope }, request) {
    const org = this.options.organization;
    const caller = basicCredentials(request);
    if (!org || caller?.user !== org.client_id || ![org.client_secret].flat().includes(caller.password)) throw new Refusal('invalid_client', 'unknown client', 401);
    if (!org.members.includes(email)) throw new Refusal('invalid_grant', 'no such member');
    const scopes = (scope ?? 'read-repos').split(' ').filter(Boolean);
    if (!scopes.every((each) => Object.hasOwn(SCOPES, each))) throw new Refusal('invalid_scope', 'unknown scope');
    const actions = [...new Set(scopes.flatMap((each) => SCOPES[each]))];
    const repository = ['', 'datasets/', 'spaces/'].map((prefix) => `${prefix}${org.name}/*`);
    return { ...this.#issue('hf_oauth_', { sub: email, repository, actions }, org.seconds ?? 28_800), scope: scopes.join(' ') };
  }

  async #grant(request) {
    const text = (await readBody(request)).toString();
    let params;
    try {
      params = /json/.test(request.headers['content-type'] ?? '') ? JSON.parse(text) : Object.fromEntries(new URLSearchParams(text));
    } catch {
      throw new Refusal('invalid_request', 'unreadable body');
    }
    if (params.grant_type !== GRANT) throw new Refusal('unsupported_grant_type', 'only token exchange');
    if (params.subject_token_type === ID_TOKEN) return this.#publisher(params);
    if (params.subject_token_type === EMAIL) return this.#organization(params, request);
    throw new Refusal('invalid_request', 'subject_token_type is not supported');
  }

  #spoil(answer) {
    const plan = this.answers[0];
    if (!plan) return answer;
    plan.count -= 1;
    if (plan.count === 0) this.answers.shift();
    const changed = { ...answer, ...plan.values };
    for (const [name, value] of Object.entries(changed)) if (value === null) delete changed[name];
    return changed;
  }

  /** POST /api/credentials/revoke: whoever has a token may end it, of whatever kind. Unknown ones are passed over. */
  async serveRevocation(request, response, entry) {
    entry.kind = 'revoke';
    let list;
    try { list = JSON.parse((await readBody(request)).toString()).credentials; } catch { /* refused below */ }
    if (!Array.isArray(list) || !list.length || !list.every((each) => typeof each === 'string')) {
      entry.reason = 'no credentials';
      sendJson(response, 400, { error: 'credentials: a list of tokens' });
      return;
    }
    entry.tokens = list.map(sha256);
    entry.known = entry.tokens.filter((hash) => this.revoke(hash)).length;
    sendJson(response, 200, {});
  }

  /** POST /oauth/token. The reason of a refusal goes to the log. */
  async serve(request, response, entry) {
    entry.kind = 'token';
    try {
      const answer = await this.#grant(request);
      entry.token = sha256(answer.access_token);
      sendJson(response, 200, this.#spoil(answer));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      entry.reason = error.message;
      sendJson(response, error.status, { error: error.error, error_description: error.message });
    }
  }
}
