// A tiny OpenID Connect client for the self-test: loopback redirect, code + PKCE, refresh, exchange.
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { listen } from './http.mjs';

const random = () => randomBytes(32).toString('base64url');
const BROWSER = fileURLToPath(new URL('../browser.mjs', import.meta.url));
const TYPE = 'urn:ietf:params:oauth:token-type:';

export function runBrowser(url, env = {}, program = BROWSER) {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, url], { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stdout, stderr });
    });
  });
}

export async function post(url, form, headers = {}) {
  const response = await fetch(url, { method: 'POST', redirect: 'manual', headers, body: new URLSearchParams(form) });
  const text = await response.text();
  let body;
  try { body = JSON.parse(text); } catch { body = text; }
  return { status: response.status, body };
}

export const control = async (base, call, body) => {
  const response = await fetch(`${base}/control/${call}`, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
  const value = await response.json();
  if (response.status >= 400 && response.status !== 408) throw new Error(`${call}: ${value.error}`);
  return value;
};

/** Signs in by the browser program; answers the token answer, or what the redirect said. */
export async function signIn(issuer, { account = 'ada', client = 'oam', deny = false, browser = BROWSER, prompt, scope = 'openid offline_access profile email groups' } = {}) {
  const verifier = random();
  const [state, nonce] = [random(), random()];
  let seen;
  const server = createServer((request, response) => {
    seen ??= new URL(request.url, 'http://127.0.0.1').searchParams;
    response.end('<p>You may close this window.</p>');
  });
  const redirect = `http://127.0.0.1:${await listen(server)}/callback`;
  const url = new URL(`${issuer}/auth`);
  url.search = new URLSearchParams({
    client_id: client, response_type: 'code', redirect_uri: redirect, scope, state, nonce,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...(prompt ? { prompt } : {}),
  });
  const run = await runBrowser(url.href, { OAM_TEST_ACCOUNT: account, OAM_TEST_DENY: deny ? '1' : '0' }, browser);
  server.close();
  const result = { run, state, nonce, redirect: seen && Object.fromEntries(seen) };
  if (!seen?.get('code')) return result;
  const answer = await post(`${issuer}/token`, {
    grant_type: 'authorization_code', client_id: client, code: seen.get('code'), redirect_uri: redirect, code_verifier: verifier,
  });
  return { ...result, status: answer.status, ...answer.body };
}

export const refresh = (issuer, refresh_token, client_id = 'oam') => post(`${issuer}/token`, { grant_type: 'refresh_token', client_id, refresh_token });

export const exchange = (issuer, subject, { audience, resource, scope, kind = 'id_token', client = 'oam' }) => post(`${issuer}/token`, {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', client_id: client,
  subject_token: subject, subject_token_type: `${TYPE}${kind}`, ...(audience ? { audience } : {}), ...(resource ? { resource } : {}), scope,
});
