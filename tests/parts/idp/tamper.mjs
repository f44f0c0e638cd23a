// Wrong ID tokens and wrong redirects, as an attacker or a mixed-up provider would give them.
import { randomBytes } from 'node:crypto';
import { jose, newKey } from '../lib/keys.mjs';
import { brokenSignature, unsigned, withPublicKeyAsSecret } from '../lib/mint.mjs';

const now = () => Math.floor(Date.now() / 1000);

/** Fields where one claim is wrong and the signature is the provider's. */
const CLAIMS = {
  iss: (claims) => ({ ...claims, iss: 'https://login.evil.example' }),
  aud: (claims) => ({ ...claims, aud: 'other' }),
  azp: (claims) => ({ ...claims, aud: [claims.aud, 'other'], azp: 'other' }),
  nonce: (claims) => ({ ...claims, nonce: randomBytes(12).toString('hex') }),
  'missing-nonce': ({ nonce, ...claims }) => claims,
  exp: (claims) => ({ ...claims, iat: now() - 7200, exp: now() - 3600 }),
  iat: (claims) => ({ ...claims, iat: now() + 3600, exp: now() + 7200 }),
  sub: (claims) => ({ ...claims, sub: 'mallory' }),
  'missing-sub': ({ sub, ...claims }) => claims,
  'missing-exp': ({ exp, ...claims }) => claims,
  auth_time: (claims) => ({ ...claims, auth_time: now() + 600 }),
};

export const TOKEN_FIELDS = [...Object.keys(CLAIMS), 'alg-none', 'alg-hs256', 'sig', 'kid', 'foreign-key', 'missing', 'garbage', 'claims'];

/** The same token with one thing wrong. */
export async function tamperToken(token, { field, value }, keys) {
  const header = jose.decodeProtectedHeader(token);
  const claims = jose.decodeJwt(token);
  const signer = keys.pick(header.alg, header.kid);
  const again = (changed, options = {}) => keys.sign(changed, { alg: header.alg, kid: header.kid, header: { typ: header.typ }, ...options });
  if (field in CLAIMS) return again(value === undefined ? CLAIMS[field](claims) : { ...claims, [field]: value });
  switch (field) {
    case 'claims': return again({ ...claims, ...value });
    case 'alg-none': return unsigned(header, claims);
    case 'alg-hs256': return withPublicKeyAsSecret(header, claims, signer);
    case 'sig': return brokenSignature(token);
    case 'kid': return again(claims, { key: await newKey(header.alg) });
    case 'foreign-key': return again(claims, { key: { ...(await newKey(header.alg)), kid: header.kid } });
    case 'missing': return undefined;
    case 'garbage': return 'eyJ.not.a-token';
    default: throw new Error(`unknown field ${field}`);
  }
}

const REDIRECTS = {
  state: (query) => query.set('state', randomBytes(12).toString('hex')),
  'missing-state': (query) => query.delete('state'),
  iss: (query) => query.set('iss', 'https://login.evil.example'),
  'missing-iss': (query) => query.delete('iss'),
  code: (query) => query.set('code', randomBytes(16).toString('hex')),
  'missing-code': (query) => query.delete('code'),
  'extra-error': (query) => { query.delete('code'); query.set('error', 'server_error'); query.set('error_description', '<script>alert(1)</script>'); },
};
export const REDIRECT_FIELDS = Object.keys(REDIRECTS);

export function tamperRedirect(location, { field, value }) {
  const url = new URL(location);
  if (value === undefined) REDIRECTS[field](url.searchParams);
  else url.searchParams.set(field, value);
  return url.href;
}

/** What is to be tampered with next; each entry is used `count` times. */
export class Tampering {
  token = null;
  redirect = null;

  setToken({ field, value, count = 1, on = 'any' }) {
    if (!TOKEN_FIELDS.includes(field)) throw new Error(`unknown field ${field}; known: ${TOKEN_FIELDS.join(', ')}`);
    this.token = { field, value, count, on };
  }

  setRedirect({ field, value, count = 1 }) {
    if (!REDIRECT_FIELDS.includes(field)) throw new Error(`unknown field ${field}; known: ${REDIRECT_FIELDS.join(', ')}`);
    this.redirect = { field, value, count };
  }

  #use(name) {
    const plan = this[name];
    plan.count -= 1;
    if (plan.count === 0) this[name] = null;
    return plan;
  }

  takeToken(endpoint) {
    const on = this.token && (this.token.on === 'any' || endpoint === `token-${this.token.on}`);
    return on ? this.#use('token') : null;
  }

  takeRedirect() { return this.redirect ? this.#use('redirect') : null; }

  clear() { this.token = null; this.redirect = null; }
}
