// Every way in which the provider can be made to misbehave.
import { control, exchange, refresh, signIn } from '../lib/client.mjs';
import { check, equal, expect } from './bench.mjs';
import { jose } from '../lib/keys.mjs';
import { TOKEN_FIELDS } from '../idp/tamper.mjs';

const PUBLISHER = { audience: 'http://127.0.0.1:9', resource: 'acme/model', scope: 'role:model-publisher write' };
const STATUS = { 500: 500, 503: 503, 429: 429, html: 503, html200: 200, 403: 403, 451: 451, invalid_client: 401, bare400: 400, bare401: 401, empty200: 200, redirect: 307 };

async function checkAnswers(idp) {
  const session = await signIn(idp.issuer);
  let token = session.refresh_token;
  await check('faults before the provider acts: the token is not used up', async () => {
    for (const [mode, status] of Object.entries(STATUS)) {
      await control(idp.control, 'fault', { endpoint: 'token-refresh', mode });
      equal((await refresh(idp.issuer, token)).status, status, mode);
    }
    await control(idp.control, 'fault', { endpoint: 'token-refresh', mode: 'reset' });
    expect(await refresh(idp.issuer, token).then(() => false, () => true), 'reset breaks the connection');
    await control(idp.control, 'fault', { endpoint: 'token-refresh', mode: 'garbage200' });
    equal(typeof (await refresh(idp.issuer, token)).body, 'string', 'garbage is not JSON');
    await control(idp.control, 'fault', { endpoint: 'token-refresh', mode: 'oversize200' });
    expect((await refresh(idp.issuer, token)).body.access_token.length > 10_000_000, 'oversize');
    const next = await refresh(idp.issuer, token);
    equal(next.status, 200, 'the token still works');
    token = next.body.refresh_token;
  });
  await check('true answers that come in drops, or only half', async () => {
    await control(idp.control, 'fault', { endpoint: 'jwks', mode: 'drip', step_ms: 0 });
    expect((await (await fetch(idp.jwks_uri)).json()).keys.length > 0, 'drip');
    await control(idp.control, 'fault', { endpoint: 'jwks', mode: 'truncate' });
    expect(await fetch(idp.jwks_uri).then((answer) => answer.json()).then(() => false, () => true), 'half');
  });
  await check('a fault after the provider has acted: the old token is reuse', async () => {
    await control(idp.control, 'fault', { endpoint: 'token-refresh', mode: '503', when: 'after' });
    equal((await refresh(idp.issuer, token)).status, 503, 'lost answer');
    equal((await refresh(idp.issuer, token)).body.error, 'invalid_grant', 'retry');
  });
}

async function checkWaiting(idp) {
  const session = await signIn(idp.issuer);
  await check('a hanging request is seen by wait, and cut off by clear', async () => {
    await control(idp.control, 'reset', {});
    await control(idp.control, 'fault', { endpoint: 'token-exchange', mode: 'hang' });
    const pending = exchange(idp.issuer, session.id_token, PUBLISHER).then(() => 'answered', () => 'cut');
    equal((await control(idp.control, 'wait?event=exchange&count=1')).count, 1, 'count');
    equal((await control(idp.control, 'wait?event=exchange&count=2&deadline_ms=50')).count, 1, 'deadline');
    await control(idp.control, 'fault/clear', {});
    equal(await pending, 'cut', 'the request');
  });
  await check('a held request goes on when released; the provider had acted before', async () => {
    const fresh = await signIn(idp.issuer);
    await control(idp.control, 'reset', {});
    await control(idp.control, 'fault', { endpoint: 'token-refresh', mode: 'hold', when: 'after' });
    const pending = refresh(idp.issuer, fresh.refresh_token);
    equal((await control(idp.control, 'wait?event=refresh&accepted=1')).count, 1, 'accepted');
    await control(idp.control, 'release', {});
    expect((await pending).body.refresh_token, 'the true answer');
  });
  await check('any JSON answer can be made wrong: metadata, a refresh without a new token', async () => {
    await control(idp.control, 'answer', { endpoint: 'discovery', values: { issuer: 'https://login.evil.example', device_authorization_endpoint: null } });
    const found = await (await fetch(`${idp.issuer}/.well-known/openid-configuration`)).json();
    equal([found.issuer, found.device_authorization_endpoint], ['https://login.evil.example', undefined], 'metadata');
    const fresh = await signIn(idp.issuer);
    await control(idp.control, 'answer', { endpoint: 'token-refresh', values: { refresh_token: null, expires_in: '3600' } });
    const { body } = await refresh(idp.issuer, fresh.refresh_token);
    equal([body.refresh_token, body.expires_in], [undefined, '3600'], 'refresh');
  });
  await check('slow answers late and true; down refuses connections, up is back', async () => {
    const fresh = await signIn(idp.issuer);
    await control(idp.control, 'fault', { endpoint: 'token-refresh', mode: 'slow', delay_ms: 300 });
    const started = Date.now();
    equal((await refresh(idp.issuer, fresh.refresh_token)).status, 200, 'slow');
    expect(Date.now() - started >= 300, 'late');
    await control(idp.control, 'down', {});
    expect(await fetch(idp.jwks_uri).then(() => false, () => true), 'refused');
    await control(idp.control, 'up', {});
    equal((await fetch(idp.jwks_uri)).status, 200, 'up');
  });
}

async function checkTampering(idp) {
  const verify = async (session) => {
    const keys = jose.createLocalJWKSet(await (await fetch(idp.jwks_uri)).json());
    const { payload } = await jose.jwtVerify(session.id_token, keys, { issuer: idp.issuer, audience: 'oam', requiredClaims: ['exp', 'sub'] });
    return payload.nonce === session.nonce && payload.sub === 'ada' && !payload.azp && payload.iat <= Date.now() / 1000 + 60
      && (payload.auth_time ?? 0) <= Date.now() / 1000 + 60 && payload.marked === undefined;
  };
  await check('every tampered ID token fails a strict check, and only that often', async () => {
    for (const field of TOKEN_FIELDS) {
      await control(idp.control, 'tamper', { field, ...(field === 'claims' ? { value: { marked: true } } : {}) });
      expect(!await verify(await signIn(idp.issuer)).catch(() => false), `${field} must be seen`);
    }
    expect(await verify(await signIn(idp.issuer)), 'then all is well');
  });
  await check('redirects with a wrong state, a wrong issuer, or none', async () => {
    for (const field of ['state', 'iss', 'missing-iss']) {
      await control(idp.control, 'tamper-redirect', { field });
      const { redirect, state } = await signIn(idp.issuer);
      expect(redirect.state !== state || redirect.iss !== idp.issuer, field);
    }
  });
  await check('exchange answers can be made wrong', async () => {
    const session = await signIn(idp.issuer);
    await control(idp.control, 'exchange-answer', { scope: 'role:hub-admin manage', expires_in: '300', token_type: null, count: 1 });
    const { body } = await exchange(idp.issuer, session.id_token, PUBLISHER);
    equal([body.scope, body.expires_in, body.token_type], ['role:hub-admin manage', '300', undefined], 'wrong');
    equal((await exchange(idp.issuer, session.id_token, PUBLISHER)).body.expires_in, 300, 'right again');
  });
  await check('keys rotate with overlap; logout tokens are signed', async () => {
    const before = await (await fetch(idp.jwks_uri)).json();
    await control(idp.control, 'rotate-keys', {});
    const after = await (await fetch(idp.jwks_uri)).json();
    equal(after.keys.length, before.keys.length + 2, 'keys');
    expect(await verify(await signIn(idp.issuer)), 'the new key verifies');
    const { logout_token: token } = await control(idp.control, 'backchannel', { account: 'ada' });
    const { payload } = await jose.jwtVerify(token, jose.createLocalJWKSet(after), { issuer: idp.issuer, audience: 'oam', typ: 'logout+jwt' });
    equal(payload.sub, 'ada', 'subject');
  });
}

export async function checkFaults(idp) {
  await checkAnswers(idp);
  await checkWaiting(idp);
  await checkTampering(idp);
}
