// The hub's gate: one refused token of each kind, and why the log says it was.
import { createHash } from 'node:crypto';
import { control, exchange, signIn } from '../lib/client.mjs';
import { check, equal, expect, start } from './bench.mjs';

const b64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export async function roleToken(idp, hub, { scope = 'role:model-publisher write', resource = 'acme/model', account = 'ada' } = {}) {
  const session = await signIn(idp.issuer, { account });
  const { body } = await exchange(idp.issuer, session.id_token, { audience: hub.url, resource, scope });
  if (!body.access_token) throw new Error(`no token: ${JSON.stringify(body)}`);
  return body.access_token;
}

export async function checkTokens(idp, hub) {
  const claims = { sub: 'role:model-publisher', act: { sub: 'ada' }, aud: hub.url, repository: 'acme/model', actions: ['read', 'write'] };
  const mint = async (change = {}, options = {}) => (await control(idp.control, 'mint', {
    claims: { ...claims, ...change }, alg: 'ES256', header: { typ: 'at+jwt' }, ...options })).token;
  const push = '/acme/model.git/info/refs?service=git-receive-pack';
  const ask = async (token, { path = push, scheme = 'Basic' } = {}) => {
    const value = scheme === 'Basic' ? `Basic ${Buffer.from(`hf_user:${token}`).toString('base64')}` : `Bearer ${token}`;
    const { status } = await fetch(hub.url + path, { headers: token === null ? {} : { authorization: value } });
    const { log } = await control(hub.control, 'log');
    return [status, log.at(-1).reason];
  };
  const refusedAs = (name, wanted, token, options) => check(`hub: ${name} is refused with ${wanted[0]}`, async () => equal(await ask(await token(), options), wanted, name));

  await check('hub: a good token passes, as Basic and as Bearer, and is logged by its hash only', async () => {
    const token = await roleToken(idp, hub);
    equal((await ask(token))[0], 200, 'Basic');
    equal((await ask(token, { scheme: 'Bearer' }))[0], 200, 'Bearer');
    const { log } = await control(hub.control, 'log');
    equal(log.at(-1).token, createHash('sha256').update(token).digest('hex'), 'hash');
    expect(!JSON.stringify(log).includes(token), 'the token itself is nowhere');
  });
  await refusedAs('a missing token', [401, 'missing'], () => null);
  await refusedAs('a forged signature', [401, 'forged signature'], () => mint({}, { key: 'foreign' }));
  await refusedAs('an expired token', [401, 'expired'], () => mint({}, { seconds: -10 }));
  await refusedAs('a token for another hub', [401, 'wrong aud'], () => mint({ aud: 'http://127.0.0.1:9' }));
  await refusedAs('a token of another issuer', [401, 'wrong iss'], () => mint({ iss: 'http://127.0.0.1:9' }));
  await refusedAs('an ID token', [401, 'wrong typ'], () => mint({}, { header: {} }));
  await refusedAs('alg none', [401, 'algorithm not allowed'], () => `${b64({ alg: 'none', typ: 'at+jwt' })}.${b64({ ...claims, iss: idp.issuer, exp: 4e9 })}.`);
  await refusedAs('alg HS256', [401, 'algorithm not allowed'], () => `${b64({ alg: 'HS256', typ: 'at+jwt' })}.${b64({ ...claims, iss: idp.issuer, exp: 4e9 })}.AAAA`);
  await refusedAs('an opaque token that is not active', [401, 'inactive'], () => 'role_unknown');
  await refusedAs('a token for another repository', [403, 'wrong repository'], () => roleToken(idp, hub, { resource: 'acme/other' }));
  await refusedAs('a token without the action', [403, 'wrong action'], () => roleToken(idp, hub, { scope: 'role:model-reader read' }));
  await refusedAs('a pattern that only begins alike', [403, 'wrong repository'], () => mint({ repository: 'acme/mode' }));
  await check('hub: an opaque token that is active passes; revoked, it does not', async () => {
    await control(idp.control, 'token-format', { value: 'opaque' });
    const token = await roleToken(idp, hub);
    await control(idp.control, 'token-format', { value: 'jwt' });
    equal((await ask(token))[0], 200, 'active');
    await control(idp.control, 'revoke-account', { account: 'ada' });
    equal(await ask(token), [401, 'inactive'], 'revoked');
  });
  await check('hub: keys by the issuer\'s discovery, and a name that is not the issuer\'s', async () => {
    const other = await start('hub', { issuer: idp.issuer, jwks: 'discovery', audience: hub.url, repositories: ['acme/model'] });
    const look = async (gate, token) => (await fetch(`${gate.url}${push}`, { headers: { authorization: `Bearer ${token}` } })).status;
    equal(await look(other, await mint()), 200, 'found');
    await other.stop();
    const liar = await start('hub', { issuer: `${idp.issuer}/`, jwks: 'discovery', audience: hub.url, repositories: ['acme/model'] });
    equal(await look(liar, await mint()), 503, 'another name');
    await liar.stop();
  });
  await check('hub: reject turns a good token down once', async () => {
    const token = await roleToken(idp, hub);
    await control(hub.control, 'reject', { count: 1 });
    equal(await ask(token), [401, 'rejected by the test'], 'first');
    equal((await ask(token))[0], 200, 'second');
  });
  await check('hub: faults by path', async () => {
    const token = await roleToken(idp, hub);
    for (const status of [401, 403, 429, 503]) {
      await control(hub.control, 'fault', { status, paths: 'receive-pack' });
      equal(await ask(token), [status, 'fault'], `${status}`);
    }
  });
  await check('hub: anybody reads a public repository, nobody writes it without a token', async () => {
    equal((await ask(null, { path: '/acme/open.git/info/refs?service=git-upload-pack' }))[0], 200, 'read');
    equal((await ask(null, { path: '/acme/open.git/info/refs?service=git-receive-pack' }))[0], 401, 'write');
  });
}
