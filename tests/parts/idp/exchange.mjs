// The token exchange (RFC 8693): an ID token or access token of this provider in, a role token for one hub out.
import { randomBytes } from 'node:crypto';
import { sha256 } from '../lib/events.mjs';

const TYPE = 'urn:ietf:params:oauth:token-type:';
const ACTIONS = { read: ['read'], write: ['read', 'write'], manage: ['read', 'write', 'manage'] };

class Refusal extends Error {
  constructor(error, description, status = 400) {
    super(description);
    this.answer = { status, body: { error, error_description: description } };
  }
}

/** `*` stands for any characters; the whole string must match. */
export function matches(pattern, text) {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}

const one = (value, name) => {
  if (Array.isArray(value)) throw new Refusal('invalid_request', `${name} is given twice`);
  return value;
};

/** audience and resource as the agent may send them: a hub's URL, and a repository by name or by URL below the hub's. */
export function target(params) {
  const audience = one(params.audience, 'audience');
  const resource = one(params.resource, 'resource');
  if (!resource || !/^https?:/.test(resource)) {
    if (!audience) throw new Refusal('invalid_target', 'no audience');
    return { hub: audience.replace(/\/$/, ''), repository: resource ?? '*' };
  }
  const url = new URL(resource);
  if (audience && audience.replace(/\/$/, '') !== url.origin) throw new Refusal('invalid_target', 'the resource is not at the audience');
  return { hub: url.origin, repository: url.pathname.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '') || '*' };
}

export function wanted(scope) {
  const words = (one(scope, 'scope') ?? '').split(' ').filter(Boolean);
  const actions = words.filter((word) => Object.hasOwn(ACTIONS, word));
  const roles = words.filter((word) => !Object.hasOwn(ACTIONS, word));
  if (roles.length !== 1) throw new Refusal('invalid_scope', 'scope must name exactly one role');
  if (actions.length > 1) throw new Refusal('invalid_scope', 'scope must name at most one action');
  return { role: roles[0].replace(/^role:/, ''), action: actions[0] ?? 'read', words };
}

export class Exchange {
  constructor({ issuer, options, store, keys, current }) {
    Object.assign(this, { issuer, options, store, keys, current });
  }

  /** Who stands behind the subject token: { accountId, grantId }. Refuses when that grant no longer lives. */
  async #subject(params, clientId) {
    const token = one(params.subject_token, 'subject_token');
    if (!token) throw new Refusal('invalid_request', 'no subject_token');
    const type = one(params.subject_token_type, 'subject_token_type');
    const find = { [`${TYPE}id_token`]: () => this.#idToken(token, clientId), [`${TYPE}access_token`]: () => this.#accessToken(token, clientId) }[type];
    if (!find) throw new Refusal('invalid_request', 'subject_token_type is not supported');
    const found = await find();
    if (!this.store.grantLives(found.grantId)) throw new Refusal('invalid_grant', 'the session of the subject has ended');
    if (!Object.hasOwn(this.options.accounts, found.accountId)) throw new Refusal('invalid_grant', 'no such account');
    return found;
  }

  async #idToken(token, clientId) {
    let claims;
    try {
      claims = (await this.keys.verify(token, this.issuer)).payload;
    } catch (error) {
      throw new Refusal('invalid_grant', `subject_token: ${error.code ?? 'unreadable'}`);
    }
    if (claims.aud !== clientId) throw new Refusal('invalid_grant', 'subject_token: wrong audience');
    const known = this.store.get(`IdToken:${sha256(token)}`);
    if (!known) throw new Refusal('invalid_grant', 'the session of the subject has ended');
    return known;
  }

  async #accessToken(token, clientId) {
    const found = await this.current().AccessToken.find(token);
    if (!found || found.clientId !== clientId) throw new Refusal('invalid_grant', 'subject_token: unknown');
    return { accountId: found.accountId, grantId: found.grantId };
  }

  #allowed(account, role, action, repository) {
    const roles = this.options.policy[account] ?? {};
    if (!Object.hasOwn(roles, role)) throw new Refusal('invalid_scope', `the role ${role} is not granted`);
    if (!roles[role].actions.includes(action)) throw new Refusal('invalid_scope', `the role ${role} has not the action ${action}`);
    // A question for the whole hub is answered only by a grant for the whole hub.
    const covers = roles[role].resources.some((pattern) => (repository === '*' ? pattern === '*' : matches(pattern, repository)));
    if (!covers) throw new Refusal('invalid_target', `the role ${role} does not cover ${repository}`);
    return ACTIONS[action].filter((each) => roles[role].actions.includes(each));
  }

  async #issue(params, clientId) {
    const requested = one(params.requested_token_type, 'requested_token_type');
    if (requested && ![`${TYPE}access_token`, `${TYPE}jwt`].includes(requested)) throw new Refusal('invalid_request', 'requested_token_type is not supported');
    const { hub, repository } = target(params);
    const { role, action, words } = wanted(params.scope);
    const { accountId, grantId } = await this.#subject(params, clientId);
    const actions = this.#allowed(accountId, role, action, repository);
    const seconds = this.options.role_token_seconds;
    const iat = Math.floor(Date.now() / 1000);
    const claims = {
      iss: this.issuer, sub: `role:${role}`, act: { sub: accountId }, aud: hub, repository, actions, role,
      client_id: clientId, scope: words.join(' '), jti: randomBytes(12).toString('hex'), iat, exp: iat + seconds,
    };
    const opaque = this.options.role_token_format === 'opaque';
    const token = opaque ? `role_${randomBytes(24).toString('base64url')}` : await this.keys.sign(claims, { header: { typ: 'at+jwt' } });
    this.store.set(`RoleToken:${sha256(token)}`, { accountId, grantId, claims }, seconds);
    return {
      access_token: token, issued_token_type: `${TYPE}access_token`, token_type: 'Bearer', expires_in: seconds, scope: words.join(' '),
    };
  }

  /** The whole endpoint after client authentication: { status, body }. */
  async grant(params, clientId) {
    try {
      return { status: 200, body: await this.#issue(params, clientId) };
    } catch (error) {
      if (error instanceof Refusal) return error.answer;
      throw error;
    }
  }

  /** RFC 7662 for role tokens. Those of an ended session are gone from the store, so they are inactive. */
  introspect(token) {
    const known = this.store.get(`RoleToken:${sha256(token ?? '')}`);
    if (!known || known.claims.exp * 1000 <= Date.now()) return { active: false };
    return { active: true, token_type: 'Bearer', ...known.claims };
  }

  /** RFC 7009: says nothing about whether the token was known. Here the caller is told, for the log. */
  revoke(token) {
    const key = `RoleToken:${sha256(token ?? '')}`;
    const known = this.store.get(key) !== undefined;
    this.store.delete(key);
    return known;
  }

  liveRoleTokens() {
    return [...this.store.all('RoleToken')].map(([hash, { accountId, claims }]) => ({ sha256: hash, account: accountId, ...claims }));
  }
}

