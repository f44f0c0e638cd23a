// RSA keys without the search for primes, which costs a fifth of a second of processor time at every start of a part:
// `install` looks for primes once (`node lib/primes.mjs FILE`), and a key is made of two of them. 256 primes give
// 32,640 keys, so two parts of a test have different ones. They protect nothing: tests alone sign with them.
import { generatePrimeSync, randomInt } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { installed } from './modules.mjs';

const COUNT = 256;
const E = 65537n;

/** A private key as JWK, without `alg` and `kid`; undefined where the primes are not there. */
export function rsaFromPrimes() {
  const file = installed('primes');
  if (!existsSync(file)) return undefined;
  const primes = readFileSync(file, 'utf8').trim().split('\n');
  const first = randomInt(primes.length);
  const second = (first + 1 + randomInt(primes.length - 1)) % primes.length;
  return jwk(BigInt(`0x${primes[first]}`), BigInt(`0x${primes[second]}`));
}

/** RFC 7518 §6.3: the members of an RSA private key, from its two primes. */
function jwk(p, q) {
  const d = inverse(E, (p - 1n) * (q - 1n));
  const numbers = { n: p * q, e: E, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
  return { kty: 'RSA', ...Object.fromEntries(Object.entries(numbers).map(([name, number]) => [name, base64url(number)])) };
}

/** The number that makes `a` to 1 modulo `m`, by Euclid. */
function inverse(a, m) {
  let [r, next, x, nextX] = [m, a % m, 0n, 1n];
  while (next) [r, next, x, nextX] = [next, r % next, nextX, x - (r / next) * nextX];
  return ((x % m) + m) % m;
}

function base64url(number) {
  const hex = number.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url');
}

/** A prime of 1024 bits that an RSA key with the usual exponent may have; its two highest bits are set, so a product has 2048 bits. */
function prime() {
  for (;;) {
    const found = generatePrimeSync(1024, { bigint: true });
    if (found >> 1022n === 3n && (found - 1n) % E) return found;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(process.argv[2], `${Array.from({ length: COUNT }, () => prime().toString(16)).join('\n')}\n`);
}
