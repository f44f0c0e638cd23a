// Tokens of CI jobs: how they are asked for, and what is in them.
import { control } from '../lib/client.mjs';
import { jose } from '../lib/keys.mjs';
import { check, equal, expect, start } from './bench.mjs';

export async function checkJobs() {
  const ci = await start('ci', { job: { repository: 'model', ref: 'refs/heads/release' } });
  const verify = (token, audience) => jose.jwtVerify(token, jose.createRemoteJWKSet(new URL(ci.jwks_uri)), { issuer: ci.issuer, audience });
  await check('ci: a job asks the request URL with its bearer and an audience', async () => {
    const ask = (bearer) => fetch(`${ci.request_url}&audience=${encodeURIComponent('https://issuer.acme.example')}`, { headers: { authorization: `Bearer ${bearer}` } });
    equal((await ask('wrong')).status, 401, 'another bearer');
    const { value } = await (await ask(ci.request_token)).json();
    const { payload } = await verify(value, 'https://issuer.acme.example');
    equal([payload.sub, payload.repository_id, payload.repository_owner_id, payload.exp - payload.iat], ['repo:acme/model:ref:refs/heads/release', '98765', '1234', 300], 'claims');
    equal((await control(ci.control, 'stats')).requests.map(({ status }) => status), [401, 200], 'counted');
  });
  await check('ci: subjects with ids, environments, pull requests', async () => {
    const subject = async (job) => jose.decodeJwt((await control(ci.control, 'github', { audience: 'x', job })).token).sub;
    equal(await subject({ after_2026: true }), 'repo:acme@1234/model@98765:ref:refs/heads/main', 'ids');
    equal(await subject({ environment: 'production' }), 'repo:acme/model:environment:production', 'environment');
    equal(await subject({ event: 'pull_request' }), 'repo:acme/model:pull_request', 'pull request');
  });
  await check('ci: GitLab has strings for booleans and a ref without its prefix', async () => {
    const { payload } = await verify((await control(ci.control, 'gitlab', { audience: 'y', job: {} })).token, 'y');
    equal([payload.sub, payload.ref, payload.ref_protected, payload.project_id], ['project_path:acme/model:ref_type:branch:ref:main', 'main', 'true', '314'], 'claims');
  });
  await check('ci: claims to order, expired too', async () => {
    const { token } = await control(ci.control, 'mint', { claims: { sub: 'x', aud: 'z' }, seconds: -10 });
    equal(await verify(token, 'z').catch(({ code }) => code), 'ERR_JWT_EXPIRED', 'expired');
    const metadata = await (await fetch(`${ci.issuer}/.well-known/openid-configuration`)).json();
    expect(metadata.issuer === ci.issuer, 'discovery');
  });
  await ci.stop();
}
