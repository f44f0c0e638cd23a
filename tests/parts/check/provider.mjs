// Sign-in, refresh, reuse, revocation, exchange, device flow, and a restart that forgets nothing.
import { fileURLToPath } from 'node:url';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { control, exchange, post, refresh, runBrowser, signIn } from '../lib/client.mjs';
import { check, equal, expect, scratch, start } from './bench.mjs';

const CHROMIUM = fileURLToPath(new URL('../chromium.mjs', import.meta.url));
const HUB = 'http://127.0.0.1:9';
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
const publisher = { audience: HUB, resource: 'acme/model', scope: 'role:model-publisher write' };
const basic = `Basic ${Buffer.from('hub:hub-secret').toString('base64')}`;

async function checkSignIn(idp) {
  await check('metadata names the issuer and what it can do', async () => {
    const found = await (await fetch(`${idp.issuer}/.well-known/openid-configuration`)).json();
    equal(found.issuer, idp.issuer, 'issuer');
    equal(found.authorization_response_iss_parameter_supported, true, 'RFC 9207');
    for (const name of ['device_authorization_endpoint', 'revocation_endpoint', 'introspection_endpoint', 'userinfo_endpoint']) expect(found[name]?.startsWith(idp.issuer), name);
  });
  await check('a person signs in without a screen; the ID token carries the claims', async () => {
    const session = await signIn(idp.issuer);
    equal(session.run.code, 0, 'exit code');
    equal(session.redirect.state, session.state, 'state');
    equal(session.redirect.iss, idp.issuer, 'iss');
    const claims = claimsOf(session.id_token);
    equal([claims.sub, claims.email, claims.groups, claims.nonce, claims.aud], ['ada', 'ada@example.com', ['ml-research', 'staff'], session.nonce, 'oam'], 'claims');
    expect(session.refresh_token && claims.auth_time, 'a refresh token, an auth_time');
  });
  await check('a person signs in with Chromium', async () => {
    const session = await signIn(idp.issuer, { browser: CHROMIUM });
    equal([session.run.code, session.run.stdout.trim()], [0, 'You may close this window.'], 'browser');
    expect(session.id_token, 'an ID token');
  });
  await check('denied: the redirect says access_denied', async () => {
    const session = await signIn(idp.issuer, { deny: true });
    equal([session.run.code, session.redirect.error], [0, 'access_denied'], 'denied');
  });
  await check('a wrong password is refused', async () => {
    await control(idp.control, 'account', { sub: 'carol', password: 'not carol', groups: [] });
    expect((await signIn(idp.issuer, { account: 'carol' })).run.code !== 0, 'the browser fails');
  });
  await check('an issuer whose name has a path', async () => {
    const deep = await start('idp', { issuer_path: '/realms/acme' });
    const found = await (await fetch(`${deep.issuer}/.well-known/openid-configuration`)).json();
    equal([found.issuer, found.token_endpoint], [deep.issuer, `${deep.issuer}/token`], 'metadata');
    const session = await signIn(deep.issuer);
    equal([session.redirect.iss, claimsOf(session.id_token).iss], [deep.issuer, deep.issuer], 'issuer');
    equal((await refresh(deep.issuer, session.refresh_token)).status, 200, 'refresh');
    await deep.stop();
  });
  await check('a provider of other habits: exact redirects, no rotation, no ID token at refresh, ES256', async () => {
    const strict = await start('idp', { any_redirect_port: false });
    expect((await signIn(strict.issuer)).run.code !== 0, 'another port is refused');
    await strict.stop();
    const other = await start('idp', { rotation: 'never', id_token_at_refresh: false, alg: 'ES256', strict_offline: true });
    equal((await signIn(other.issuer)).refresh_token, undefined, 'no refresh token without prompt=consent');
    const session = await signIn(other.issuer, { prompt: 'consent' });
    equal(JSON.parse(Buffer.from(session.id_token.split('.')[0], 'base64url')).alg, 'ES256', 'alg');
    const { body } = await refresh(other.issuer, session.refresh_token);
    equal([body.refresh_token, body.id_token], [session.refresh_token, undefined], 'refresh');
    await other.stop();
  });
  await check('PKCE is required', async () => {
    const url = `${idp.issuer}/auth?client_id=oam&response_type=code&scope=openid&redirect_uri=${encodeURIComponent('http://127.0.0.1:5/callback')}`;
    const answer = await fetch(url, { redirect: 'manual' });
    expect(new URL(answer.headers.get('location')).searchParams.get('error') === 'invalid_request', 'invalid_request');
  });
}

async function checkDevice(idp) {
  await check('device flow: pending, then signed in', async () => {
    const { body } = await post(`${idp.issuer}/device/auth`, { client_id: 'oam', scope: 'openid offline_access' });
    const poll = () => post(`${idp.issuer}/token`, { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: 'oam', device_code: body.device_code });
    equal((await poll()).body.error, 'authorization_pending', 'first poll');
    equal((await runBrowser(body.verification_uri_complete)).code, 0, 'browser');
    const answer = await poll();
    expect(answer.body.id_token && answer.body.refresh_token, `tokens, not ${JSON.stringify(answer)}`);
  });
  await check('device flow in Chromium', async () => {
    const { body } = await post(`${idp.issuer}/device/auth`, { client_id: 'oam', scope: 'openid' });
    const run = await runBrowser(body.verification_uri, { OAM_TEST_USER_CODE: body.user_code }, CHROMIUM);
    equal(run.code, 0, `browser: ${run.stderr}`);
    const answer = await post(`${idp.issuer}/token`, { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: 'oam', device_code: body.device_code });
    expect(answer.body.id_token, `tokens, not ${JSON.stringify(answer)}`);
  });
  await check('device flow: denied', async () => {
    const { body } = await post(`${idp.issuer}/device/auth`, { client_id: 'oam', scope: 'openid' });
    await runBrowser(body.verification_uri_complete, { OAM_TEST_DENY: '1' });
    const answer = await post(`${idp.issuer}/token`, { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: 'oam', device_code: body.device_code });
    equal(answer.body.error, 'access_denied', 'error');
  });
}

async function checkSession(idp) {
  await check('refresh rotates; reuse kills the family, and the exchange with it', async () => {
    const session = await signIn(idp.issuer);
    const next = await refresh(idp.issuer, session.refresh_token);
    expect(next.body.refresh_token && next.body.refresh_token !== session.refresh_token, 'a new refresh token');
    equal((await exchange(idp.issuer, next.body.id_token, publisher)).status, 200, 'exchange before');
    equal((await refresh(idp.issuer, session.refresh_token)).body.error, 'invalid_grant', 'reuse');
    equal((await refresh(idp.issuer, next.body.refresh_token)).body.error, 'invalid_grant', 'family');
    equal((await exchange(idp.issuer, next.body.id_token, publisher)).body.error, 'invalid_grant', 'exchange after');
  });
  await check('RFC 7009: a revoked refresh token is dead', async () => {
    const session = await signIn(idp.issuer);
    equal((await post(`${idp.issuer}/token/revocation`, { token: session.refresh_token, client_id: 'oam' })).status, 200, 'status');
    equal((await refresh(idp.issuer, session.refresh_token)).body.error, 'invalid_grant', 'refresh');
  });
  await check('revoke-account ends everything of one person, and nobody else', async () => {
    const [ada, brian] = [await signIn(idp.issuer), await signIn(idp.issuer, { account: 'brian' })];
    const { body: role } = await exchange(idp.issuer, ada.id_token, publisher);
    equal((await control(idp.control, 'introspect', { token: role.access_token })).active, true, 'role token before');
    await control(idp.control, 'revoke-account', { account: 'ada' });
    equal((await refresh(idp.issuer, ada.refresh_token)).body.error, 'invalid_grant', 'refresh');
    equal((await exchange(idp.issuer, ada.access_token, { ...publisher, kind: 'access_token' })).body.error, 'invalid_grant', 'exchange');
    equal((await control(idp.control, 'introspect', { token: role.access_token })).active, false, 'role token after');
    equal((await refresh(idp.issuer, brian.refresh_token)).status, 200, 'the other person');
  });
  await check('a restart keeps the address, the keys and the sessions', async () => {
    const state = mkdtempSync(join(scratch, 'state-'));
    const first = await start('idp', { state });
    const session = await signIn(first.issuer);
    const keys = await (await fetch(first.jwks_uri)).text();
    first.child.kill('SIGKILL');
    await first.ended;
    const second = await start('idp', { state, port: Number(new URL(first.issuer).port) });
    equal(second.issuer, first.issuer, 'issuer');
    equal(await (await fetch(second.jwks_uri)).text(), keys, 'keys');
    const next = await refresh(second.issuer, session.refresh_token);
    equal(next.status, 200, 'refresh');
    equal((await refresh(second.issuer, session.refresh_token)).body.error, 'invalid_grant', 'reuse is still seen');
    await second.stop();
  });
}

async function checkExchange(idp) {
  const session = await signIn(idp.issuer);
  await check('exchange: an ID token for a role token, with the claims that the hub reads', async () => {
    const { status, body } = await exchange(idp.issuer, session.id_token, publisher);
    equal([status, body.token_type, body.issued_token_type, body.expires_in, body.scope], [200, 'Bearer', 'urn:ietf:params:oauth:token-type:access_token', 300, publisher.scope], 'answer');
    const claims = claimsOf(body.access_token);
    equal([claims.sub, claims.act, claims.aud, claims.repository, claims.actions], ['role:model-publisher', { sub: 'ada' }, HUB, 'acme/model', ['read', 'write']], 'claims');
  });
  await check('exchange: by access token, by resource URL, by JSON', async () => {
    const byUrl = await exchange(idp.issuer, session.access_token, { kind: 'access_token', resource: `${HUB}/acme/model.git`, scope: 'model-reader' });
    equal(claimsOf(byUrl.body.access_token).repository, 'acme/model', 'repository');
    const answer = await fetch(idp.exchange_json, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', client_id: 'oam', subject_token: session.id_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token', ...publisher }) });
    expect((await answer.json()).access_token, 'a token');
  });
  await check('exchange: refuses role, action, repository, whole hub, foreign audience, garbage', async () => {
    const refused = async (change, subject = session.id_token) => (await exchange(idp.issuer, subject, { ...publisher, ...change })).body.error;
    equal(await refused({ scope: 'role:nobody' }), 'invalid_scope', 'role');
    equal(await refused({ scope: 'role:model-reader write' }), 'invalid_scope', 'action');
    equal(await refused({ scope: '' }), 'invalid_scope', 'no role');
    equal(await refused({ resource: 'rival/model' }), 'invalid_target', 'repository');
    equal(await refused({ resource: undefined }), 'invalid_target', 'whole hub');
    equal(await refused({ resource: 'http://127.0.0.1:10/acme/model' }), 'invalid_target', 'not at the audience');
    equal(await refused({}, 'garbage'), 'invalid_grant', 'garbage');
    const other = await signIn(idp.issuer, { client: 'other' });
    equal(await refused({}, other.id_token), 'invalid_grant', "another client's ID token");
    const forged = await control(idp.control, 'mint', { key: 'foreign', claims: { sub: 'ada', aud: 'oam' } });
    equal(await refused({}, forged.token), 'invalid_grant', 'forged');
  });
  await check('role tokens: introspection by the hub, revocation by the holder', async () => {
    const { body } = await exchange(idp.issuer, session.id_token, publisher);
    const look = async () => (await post(idp.token_introspection, { token: body.access_token }, { authorization: basic })).body.active;
    equal(await look(), true, 'before');
    equal((await post(idp.token_introspection, { token: body.access_token })).status, 401, 'without credentials');
    await post(idp.exchange_revoke, { token: body.access_token, client_id: 'oam' });
    equal(await look(), false, 'after');
  });
  await check('introspection of access tokens by the hub', async () => {
    const { body } = await post(`${idp.issuer}/token/introspection`, { token: session.access_token }, { authorization: basic });
    equal([body.active, body.sub], [true, 'ada'], 'answer');
  });
}

export async function checkProvider(idp) {
  await checkSignIn(idp);
  await checkDevice(idp);
  await checkSession(idp);
  await checkExchange(idp);
}
