// The provider's signing keys: made once, kept in the state folder so that a restart signs with the same ones.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { load } from './modules.mjs';
import { rsaFromPrimes } from './primes.mjs';

const jose = await load('jose');

export async function newKey(alg) {
  const secret = (alg === 'RS256' && rsaFromPrimes()) || (await generated(alg));
  return { ...secret, alg, use: 'sig', kid: `${alg.toLowerCase()}-${randomBytes(6).toString('hex')}` };
}

async function generated(alg) {
  const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
  return jose.exportJWK(privateKey);
}

const newSet = async () => [await newKey('RS256'), await newKey('ES256')];

export class Keys {
  #file;

  static async open(folder) {
    const keys = new Keys();
    keys.#file = folder && join(folder, 'keys.json');
    if (keys.#file && existsSync(keys.#file)) {
      Object.assign(keys, JSON.parse(readFileSync(keys.#file, 'utf8')));
    } else {
      keys.jwks = await newSet();
      keys.cookies = [randomBytes(32).toString('hex')];
      keys.#save();
    }
    return keys;
  }

  #save() {
    if (!this.#file) return;
    writeFileSync(`${this.#file}.new`, JSON.stringify({ jwks: this.jwks, cookies: this.cookies }), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** New keys first; the old ones stay published unless `drop`. */
  async rotate(drop) {
    this.jwks = [...(await newSet()), ...(drop ? [] : this.jwks)];
    this.#save();
  }

  /** Other keys under the same names, as a provider has them that makes its keys at every start. */
  async replace() {
    this.jwks = await Promise.all(this.jwks.map(async ({ alg, kid }) => ({ ...(await newKey(alg)), kid })));
    this.#save();
  }

  /** The key that signs now with this algorithm, or the one with this kid. */
  pick(alg, kid) {
    return this.jwks.find((key) => (kid ? key.kid === kid : key.alg === alg)) ?? this.jwks.find((key) => key.alg === alg);
  }

  publicSet() {
    return { keys: this.jwks.map(({ kty, n, e, crv, x, y, alg, use, kid }) => ({ kty, n, e, crv, x, y, alg, use, kid })) };
  }

  async sign(claims, { alg = 'ES256', kid, header = {}, key } = {}) {
    const jwk = key ?? this.pick(alg, kid);
    const protectedHeader = { alg: jwk.alg, kid: jwk.kid, ...header };
    return new jose.SignJWT(claims).setProtectedHeader(protectedHeader).sign(await jose.importJWK(jwk, jwk.alg));
  }

  /** Signature, issuer and expiry of a token that this provider signed; throws what is wrong. */
  async verify(token, issuer) {
    return jose.jwtVerify(token, jose.createLocalJWKSet(this.publicSet()), { issuer, clockTolerance: 5 });
  }
}

export { jose };
