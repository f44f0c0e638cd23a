// What tells a company that somebody left: back-channel logout from the provider, and security events in every dialect.
import { createServer } from 'node:http';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { control, runBrowser, signIn } from '../lib/client.mjs';
import { listen, readBody } from '../lib/http.mjs';
import { jose } from '../lib/keys.mjs';
import { check, equal, expect, scratch, start } from './bench.mjs';

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const LOGOUT = 'http://schemas.openid.net/event/backchannel-logout';
const ADA = { format: 'iss_sub', iss: 'https://login.acme.example', sub: 'ada' };

/** Takes whatever is posted to it and answers `status`. */
async function receiver(status = 202, body = '') {
  const got = [];
  const server = createServer(async (request, response) => {
    got.push({ type: request.headers['content-type'], authorization: request.headers.authorization, body: (await readBody(request)).toString() });
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(body);
  });
  const url = `http://127.0.0.1:${await listen(server)}/signals`;
  return { url, got, close: () => server.close() };
}

export async function checkSignals(idp) {
  await check('provider: a sign-out really posts a logout token, with the session of the ID token', async () => {
    const told = await receiver(200);
    await control(idp.control, 'backchannel-uri', { uri: told.url });
    const jar = join(scratch, 'cookies');
    process.env.OAM_TEST_COOKIES = jar;
    const session = await signIn(idp.issuer);
    expect(existsSync(jar), 'cookies kept');
    const { sid } = jose.decodeJwt(session.id_token);
    expect(typeof sid === 'string', 'sid in the ID token');
    const run = await runBrowser(`${idp.issuer}/session/end?id_token_hint=${session.id_token}`);
    delete process.env.OAM_TEST_COOKIES;
    rmSync(jar);
    equal(run.code, 0, run.stderr);
    equal(told.got.length, 1, 'one post');
    equal(told.got[0].type.split(';')[0], 'application/x-www-form-urlencoded', 'a form');
    const token = new URLSearchParams(told.got[0].body).get('logout_token');
    const { payload, protectedHeader } = await jose.jwtVerify(token, jose.createRemoteJWKSet(new URL(idp.jwks_uri)), { issuer: idp.issuer, audience: 'oam' });
    equal([protectedHeader.typ, payload.sub, payload.sid, Object.keys(payload.events)], ['logout+jwt', 'ada', sid, [LOGOUT]], 'claims');
    equal((await control(idp.control, 'backchannels')).sent.at(-1).ok, true, 'noted');
    await control(idp.control, 'backchannel-uri', { uri: null });
    told.close();
  });

  const ssf = await start('ssf', { audience: 'https://issuer.acme.example' });
  const claimsOf = async (input) => jose.decodeJwt((await control(ssf.control, 'make', input)).set);
  await check('ssf: metadata names the issuer and its keys, and an event verifies by them', async () => {
    const metadata = await (await fetch(`${ssf.issuer}/.well-known/ssf-configuration`)).json();
    equal([metadata.issuer, metadata.jwks_uri], [ssf.issuer, ssf.jwks_uri], 'metadata');
    const { set } = await control(ssf.control, 'make', { type: 'session-revoked', subject: ADA });
    const { payload, protectedHeader } = await jose.jwtVerify(set, jose.createRemoteJWKSet(new URL(ssf.jwks_uri)), { issuer: ssf.issuer, audience: 'https://issuer.acme.example' });
    equal([protectedHeader.typ, payload.sub_id, payload.exp, payload.sub], ['secevent+jwt', ADA, undefined, undefined], 'shape');
    expect(`${CAEP}session-revoked` in payload.events, 'event');
  });
  await check('ssf: Okta names the subject in the event and counts milliseconds; Google says subject_type', async () => {
    const okta = await claimsOf({ type: 'session-revoked', subject: ADA, dialect: 'okta', at: 1_700_000_000 });
    const event = okta.events[`${CAEP}session-revoked`];
    equal([okta.sub_id, event.subject, event.event_timestamp], [undefined, { user: ADA }, 1_700_000_000_000], 'okta');
    const google = await claimsOf({ type: 'account-disabled', subject: ADA, dialect: 'google', event: { reason: 'hijacking' } });
    const [risc] = Object.values(google.events);
    equal(risc, { subject: { subject_type: 'iss-sub', iss: ADA.iss, sub: 'ada' }, reason: 'hijacking' }, 'google');
  });
  await check('ssf: pushes with the receiver\'s header, the same event twice, and tells the answer', async () => {
    const told = await receiver(400, '{"err":"invalid_key","description":"no"}');
    const first = await control(ssf.control, 'push', { type: 'account-purged', subject: ADA, url: told.url, authorization: 'Bearer secret' });
    equal([first.status, first.json.err], [400, 'invalid_key'], 'answer');
    await control(ssf.control, 'push', { set: first.set, url: told.url });
    equal(told.got.map(({ type, authorization }) => [type, authorization]), [['application/secevent+jwt', 'Bearer secret'], ['application/secevent+jwt', undefined]], 'headers');
    equal(told.got[0].body, told.got[1].body, 'the same');
    told.close();
  });
  await check('ssf: every wrong event is wrong in that one way', async () => {
    const keys = jose.createRemoteJWKSet(new URL(ssf.jwks_uri));
    const verify = (set) => jose.jwtVerify(set, keys, { algorithms: ['RS256'] }).then(() => 'good', (error) => error.code);
    const event = { type: 'session-revoked', subject: ADA };
    for (const [change, code] of [
      [{}, 'good'], [{ alg: 'none' }, 'ERR_JOSE_ALG_NOT_ALLOWED'], [{ alg: 'HS256' }, 'ERR_JOSE_ALG_NOT_ALLOWED'], [{ broken: true }, 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED'],
      [{ key: 'foreign' }, 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED'], [{ key: 'unknown' }, 'ERR_JWKS_NO_MATCHING_KEY'],
    ]) equal(await verify((await control(ssf.control, 'make', { ...event, ...change })).set), code, JSON.stringify(change));
    equal((await claimsOf({ ...event, claims: { iss: 'https://evil.example', nonce: 'n', jti: null } })).jti, undefined, 'claims go');
  });
  await ssf.stop();
}
