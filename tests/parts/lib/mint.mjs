// Tokens to order: any claims, signed by the part's own key, by one that nobody published, or wrongly in a known way.
import { createHmac, createPublicKey } from 'node:crypto';
import { newKey } from './keys.mjs';

const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export const unsigned = (header, claims) => `${b64({ ...header, alg: 'none' })}.${b64(claims)}.`;

/** The old confusion: the public key, which everybody knows, taken as the secret of an HMAC. */
export function withPublicKeyAsSecret(header, claims, jwk) {
  const { kty, n, e, crv, x, y } = jwk;
  const pem = createPublicKey({ key: { kty, n, e, crv, x, y }, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  const text = `${b64({ ...header, alg: 'HS256' })}.${b64(claims)}`;
  return `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`;
}

export function brokenSignature(token) {
  const [header, claims, signature] = token.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  bytes[bytes.length >> 1] ^= 0xff;
  return `${header}.${claims}.${bytes.toString('base64url')}`;
}

/** The key that `key` names: `own`, `foreign` (known kid, other key), `unknown` (a kid that nobody published). */
async function signer(keys, alg, key) {
  if (key === 'foreign') return { ...(await newKey(alg)), kid: keys.pick(alg).kid };
  if (key === 'unknown') return newKey(alg);
  if (key === 'own' || key === 'provider') return undefined;
  throw new Error(`unknown key ${key}; known: own, foreign, unknown`);
}

/**
 * A JWT. `iat` and `exp` (after `seconds`) are filled in unless `exp` is `false`; a claim that is null is left out.
 * `alg` may be `none` or `HS256` (the public key as secret); `broken` flips a byte of the signature.
 */
export async function mint(keys, { claims = {}, header = {}, alg = 'RS256', key = 'own', seconds = 300, exp = true, broken = false }) {
  const iat = Math.floor(Date.now() / 1000);
  const full = { iat, ...(exp ? { exp: iat + seconds } : {}), ...claims };
  for (const [name, value] of Object.entries(full)) if (value === null) delete full[name];
  if (alg === 'none') return unsigned(header, full);
  if (alg === 'HS256') {
    const known = keys.pick('RS256');
    return withPublicKeyAsSecret({ kid: known.kid, ...header }, full, known);
  }
  const token = await keys.sign(full, { alg, header, key: await signer(keys, alg, key) });
  return broken ? brokenSignature(token) : token;
}
