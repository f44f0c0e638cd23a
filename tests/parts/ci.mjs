#!/usr/bin/env node
// Where CI jobs get their OIDC tokens: as GitHub Actions gives them (a request URL and a bearer), and as GitLab does (a variable).
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { announce, main, readOptions } from './lib/process.mjs';
import { controlServer, listen, sendJson } from './lib/http.mjs';
import { Keys } from './lib/keys.mjs';
import { mint } from './lib/mint.mjs';
import { openPublic } from './lib/published.mjs';
import { github, gitlab } from './ci/claims.mjs';

const OPTIONS = {
  port: 0,
  control_port: 0,
  seconds: 300, // life of a token
  job: {}, // what the job is, as ci/claims.mjs takes it: owner, repository, ref, …
};

const discovery = (issuer) => ({
  '/.well-known/openid-configuration': {
    issuer, jwks_uri: `${issuer}/jwks`, subject_types_supported: ['public', 'pairwise'], response_types_supported: ['id_token'],
    id_token_signing_alg_values_supported: ['RS256'], scopes_supported: ['openid'],
  },
});

await main(async () => {
  const options = readOptions('OAM_CI', OPTIONS);
  const keys = await Keys.open(null);
  const published = await openPublic(keys, options.port, discovery);
  const { issuer } = published;
  const bearer = randomBytes(24).toString('base64url');
  const requests = [];
  const token = (claims, more = {}) => mint(keys, { claims: { iss: issuer, jti: randomBytes(16).toString('hex'), ...claims }, seconds: options.seconds, header: { typ: 'JWT' }, ...more });

  // The runner's service: GET URL&audience=…, answered with {"value": …} to whoever has the job's bearer.
  const runner = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://runner');
    const audience = url.searchParams.get('audience');
    const good = request.headers.authorization === `Bearer ${bearer}`;
    const version = url.searchParams.get('api-version');
    requests.push({ audience, status: good ? 200 : 401, method: request.method, path: url.pathname, version });
    if (!good) return sendJson(response, 401, { message: 'Unauthorized' });
    const claims = github(options.job);
    return sendJson(response, 200, { count: 1, value: await token({ aud: audience ?? `https://github.com/${claims.repository_owner}`, ...claims }) });
  });
  const request_url = `http://127.0.0.1:${await listen(runner)}/token?api-version=2.0`;
  const control = await controlServer({
    'POST /control/job': (job) => { options.job = job; },
    'POST /control/github': async ({ audience, job, ...more }) => ({ token: await token({ aud: audience, ...github(job ?? options.job) }, more) }),
    'POST /control/gitlab': async ({ audience, job, ...more }) => ({ token: await token({ aud: audience, ...gitlab(job ?? options.job) }, more) }),
    'POST /control/mint': async ({ claims, ...more }) => ({ token: await token(claims, more) }),
    'POST /control/rotate-keys': ({ drop = false }) => keys.rotate(drop),
    'GET /control/stats': () => ({ ...published.stats(), requests }),
  }, options.control_port);
  announce({ issuer, control, jwks_uri: `${issuer}/jwks`, request_url, request_token: bearer });
});
