// The gate: no request passes with a token that was not verified here, claim by claim.
import { load } from '../lib/modules.mjs';
import { basicCredentials } from '../lib/http.mjs';
import { sha256 } from '../lib/events.mjs';

const jose = await load('jose');

/** A refusal to serve: 401 when the token is no good, 403 when it is good for something else. */
export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

/** The token of a request, however it was carried. */
export function carried(request) {
  const header = request.headers.authorization;
  if (!header) return null;
  const bearer = /^bearer +(\S+)$/i.exec(header);
  if (bearer) return { scheme: 'Bearer', token: bearer[1], sha256: sha256(bearer[1]) };
  const basic = basicCredentials(request);
  if (basic?.password) return { scheme: 'Basic', token: basic.password, user: basic.user, sha256: sha256(basic.password) };
  return { scheme: header.split(' ')[0] };
}

/** Patterns in a token are matched whole; `*` stands for any characters. */
function covers(pattern, repository) {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(repository);
}

const REASONS = {
  ERR_JWT_EXPIRED: 'expired', ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'forged signature', ERR_JWKS_NO_MATCHING_KEY: 'unknown key',
  ERR_JOSE_ALG_NOT_ALLOWED: 'algorithm not allowed', ERR_JWS_INVALID: 'not a token', ERR_JWT_INVALID: 'not a token',
};

/** Where the issuer itself says that its keys are. Its name must be the one that was asked, byte for byte. */
export async function jwksByDiscovery(issuer) {
  const answer = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, { redirect: 'error' }).catch(() => null);
  const metadata = answer?.status === 200 ? await answer.json() : {};
  return metadata.issuer === issuer ? metadata.jwks_uri : null;
}

export class Gate {
  #keys;

  constructor(options, url, trust) {
    this.options = options;
    this.trust = trust;
    this.audience = options.audience ?? url;
  }

  async #keySet() {
    const { issuer, jwks } = this.options;
    if (!issuer && !jwks) throw new Refused(401, 'signed tokens are not taken here');
    if (!this.#keys) {
      const found = jwks === 'discovery' ? await jwksByDiscovery(issuer) : jwks ?? `${issuer}/jwks`;
      if (!found) throw new Refused(503, 'the issuer does not say who it is');
      this.#keys = jose.createRemoteJWKSet(new URL(found), { cooldownDuration: 0, cacheMaxAge: 60_000 });
    }
    return this.#keys;
  }

  async #signed(token) {
    const { issuer, typ, leeway_seconds: clockTolerance } = this.options;
    const keys = await this.#keySet();
    try {
      const { payload } = await jose.jwtVerify(token, keys, {
        issuer: issuer ?? undefined, audience: this.audience, algorithms: ['ES256', 'RS256', 'EdDSA'],
        requiredClaims: ['exp', 'sub'], clockTolerance, ...(typ ? { typ } : {}),
      });
      return payload;
    } catch (error) {
      const wrong = error.code === 'ERR_JWT_CLAIM_VALIDATION_FAILED' ? `wrong ${error.claim}` : null;
      throw new Refused(401, wrong ?? REASONS[error.code] ?? `not verified: ${error.code ?? error.message}`);
    }
  }

  async #introspected(token) {
    const { url, client_id: id, client_secret: secret } = this.options.introspection;
    const answer = await fetch(url, {
      method: 'POST', body: new URLSearchParams({ token }), redirect: 'error',
      headers: { authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}` },
    }).catch(() => null);
    if (answer?.status !== 200) throw new Refused(503, 'introspection failed');
    const claims = await answer.json();
    if (claims.active !== true) throw new Refused(401, 'inactive');
    if (![claims.aud].flat().includes(this.audience)) throw new Refused(401, 'wrong aud');
    return claims;
  }

  async #claims(token) {
    const own = this.trust.find(token);
    if (own && own.exp * 1000 <= Date.now()) throw new Refused(401, 'expired');
    if (own) return own;
    const looksSigned = token.split('.').length === 3;
    if (looksSigned) {
      const claims = await this.#signed(token);
      if (this.options.introspect) await this.#introspected(token);
      return claims;
    }
    if (!this.options.introspection) throw new Refused(401, 'not a token');
    return this.#introspected(token);
  }

  /** Who is there, for a repository (or none, as for "who am I") and an action. Throws Refused. */
  async check(carrier, repository, action) {
    if (!carrier) throw new Refused(401, 'missing');
    if (!carrier.token || (carrier.scheme === 'Bearer' && !this.options.bearer)) throw new Refused(401, `scheme ${carrier.scheme}`);
    const claims = await this.#claims(carrier.token);
    if (typeof claims.exp !== 'number') throw new Refused(401, 'no exp');
    if (repository !== null) {
      const patterns = [claims.repository].flat().filter((pattern) => typeof pattern === 'string');
      if (!patterns.some((pattern) => covers(pattern, repository))) throw new Refused(403, 'wrong repository');
      if (!Array.isArray(claims.actions) || !claims.actions.includes(action)) throw new Refused(403, 'wrong action');
    }
    return claims;
  }

  isPublic(repository) { return this.options.public.includes(repository); }
}
