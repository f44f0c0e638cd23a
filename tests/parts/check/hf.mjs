// The hub's real client: who am I, upload and download, small files and large ones.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { control, post } from '../lib/client.mjs';
import { check, equal, expect, must, run, scratch } from './bench.mjs';
import { roleToken } from './tokens.mjs';

export async function checkHf(idp, hub) {
  const hf = process.env.HF;
  const tokenFile = join(scratch, 'token');
  const env = { HF_ENDPOINT: hub.url, HF_HOME: join(scratch, 'hf'), HF_TOKEN_PATH: tokenFile, HF_HUB_DISABLE_XET: '1', HF_HUB_DISABLE_TELEMETRY: '1', HF_HUB_DISABLE_UPDATE_CHECK: '1', NO_COLOR: '1' };
  for (const name of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) delete process.env[name];
  writeFileSync(tokenFile, await roleToken(idp, hub));
  const files = join(scratch, 'files');
  mkdirSync(files);
  await check('hf auth whoami', async () => {
    expect(/role:model-publisher/.test((await must(hf, ['auth', 'whoami'], { env })).stdout), 'the name');
  });
  await check('hf upload: a small file; git sees the commit', async () => {
    writeFileSync(join(files, 'config.json'), '{"layers": 2}\n');
    await must(hf, ['upload', 'acme/model', join(files, 'config.json'), 'config.json'], { env });
    const { content } = await control(hub.control, 'file?path=acme/model&file=config.json');
    equal(Buffer.from(content, 'base64').toString(), '{"layers": 2}\n', 'content');
  });
  const bytes = randomBytes(2 << 20);
  await check('hf upload: a large file goes by LFS, to a link that needs no token', async () => {
    writeFileSync(join(files, 'big.bin'), bytes);
    await must(hf, ['upload', 'acme/model', join(files, 'big.bin'), 'big.bin'], { env });
    const { content } = await control(hub.control, 'file?path=acme/model&file=big.bin');
    expect(Buffer.from(content, 'base64').toString().startsWith('version https://git-lfs'), 'a pointer');
  });
  await check('hf download: everything, and no token goes to the object store', async () => {
    const target = join(scratch, 'downloaded');
    await must(hf, ['download', 'acme/model', '--local-dir', target], { env });
    expect(readFileSync(join(target, 'big.bin')).equals(bytes), 'the large file');
    equal(readFileSync(join(target, 'config.json'), 'utf8'), '{"layers": 2}\n', 'the small file');
    const { log } = await control(hub.control, 'log');
    expect(!log.some(({ leaked }) => leaked), 'no leak');
  });
  await check('hf upload of a folder, and deletion of a file', async () => {
    mkdirSync(join(files, 'deep', 'er'), { recursive: true });
    writeFileSync(join(files, 'deep', 'er', 'x.txt'), 'x');
    await must(hf, ['upload', 'acme/model', files, 'folder'], { env });
    await must(hf, ['repo-files', 'delete', 'acme/model', 'folder/config.json'], { env }).catch(() => must(hf, ['repos', 'delete-files', 'acme/model', 'folder/config.json'], { env }));
    equal((await control(hub.control, 'file?path=acme/model&file=folder/deep/er/x.txt')).content, Buffer.from('x').toString('base64'), 'deep file');
  });
  await check('hf: a dataset', async () => {
    writeFileSync(tokenFile, await roleToken(idp, hub, { resource: 'datasets/acme/data' }));
    await must(hf, ['upload', '--repo-type', 'dataset', 'acme/data', join(files, 'config.json'), 'rows.json'], { env });
    await must(hf, ['download', '--repo-type', 'dataset', 'acme/data', 'rows.json', '--local-dir', join(scratch, 'rows')], { env });
  });
  await check('hf: a reader cannot upload; a bad token is told so; a public repository needs none', async () => {
    writeFileSync(tokenFile, await roleToken(idp, hub, { account: 'brian', scope: 'role:model-reader read' }));
    const upload = await run(hf, ['upload', 'acme/model', join(files, 'config.json'), 'no.json'], { env });
    expect(upload.code === 1 && /403/.test(upload.stderr + upload.stdout), `403: ${upload.stderr}`);
    writeFileSync(tokenFile, 'bad');
    const who = await run(hf, ['auth', 'whoami'], { env });
    expect(who.code === 1, 'exit 1');
    await must(hf, ['download', 'acme/open', 'README.md', '--local-dir', join(scratch, 'open')], { env: { ...env, HF_TOKEN_PATH: join(scratch, 'nothing') } });
  });
  await checkXet(idp, hub);
  await checkTrust(idp, hub, env, files);
}

async function checkXet(idp, hub) {
  await check('hub: a token of the store is for one repository and ref, and for who may do as much with them', async () => {
    const reads = await roleToken(idp, hub, { account: 'brian', scope: 'role:model-reader read' });
    const writes = await roleToken(idp, hub);
    const ask = (route, token) => fetch(`${hub.url}/api/models/${route}`, { headers: token ? { authorization: `Bearer ${token}` } : {} });
    for (const [route, token, scope, ref] of [
      ['acme/model/xet-read-token/main', reads, 'read', 'main'],
      ['acme/model/xet-write-token/main', writes, 'write', 'main'],
      ['acme/model/xet-write-token/None?create_pr=1', writes, 'write', 'None'],
    ]) {
      const answer = await ask(route, token);
      const { casUrl, accessToken, exp } = await answer.json();
      equal(['cas-url', 'access-token', 'token-expiration'].map((name) => answer.headers.get(`x-xet-${name}`)), [casUrl, accessToken, String(exp)], 'headers');
      equal(JSON.parse(Buffer.from(accessToken.slice(4), 'base64url')), { repository: 'acme/model', ref, scope, exp }, route);
    }
    for (const [route, token, status] of [
      ['acme/model/xet-write-token/main', reads, 403],
      ['acme/other/xet-write-token/main', writes, 403],
      ['acme/model/xet-read-token/main', null, 401],
      ['acme/model/xet-read-token/nothing', reads, 404],
      ['acme/model/xet-write-token/None', writes, 404],
    ]) equal((await ask(route, token)).status, status, route);
  });
}

async function checkTrust(idp, hub, env, files) {
  const publisher = { issuer: idp.issuer, resource: 'acme/other', claims: { sub: 'role:ci', role: 'ci' } };
  const identity = async (change = {}) => (await control(idp.control, 'mint', { claims: { sub: 'role:ci', role: 'ci', aud: hub.url, ...change } })).token;
  const trade = async (subject, resource = 'acme/other') => (await fetch(`${hub.url}/oauth/token`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', subject_token_type: 'urn:ietf:params:oauth:token-type:id_token', subject_token: subject, resource }) })).json();
  await check('hub: a trusted publisher trades its ID token for a token of one repository', async () => {
    await control(hub.control, 'trust', publisher);
    const { access_token: token, expires_in: seconds, token_type: type } = await trade(await identity());
    equal([seconds, type, token.startsWith('hf_jwt_')], [3600, 'bearer', true], 'answer');
    const info = (name) => fetch(`${hub.url}/api/models/${name}`, { headers: { authorization: `Bearer ${token}` } });
    equal([(await info('acme/other')).status, (await info('acme/model')).status], [200, 403], 'this one only');
    for (const change of [{ aud: 'http://127.0.0.1:9' }, { role: 'other' }, { iss: 'http://127.0.0.1:9' }, { exp: 1 }]) {
      equal((await trade(await identity(change))).error, 'invalid_grant', JSON.stringify(change));
    }
    equal((await trade(await identity(), 'acme/model')).error, 'invalid_grant', 'another repository');
  });
  await check('hub: a trusted publisher names exact values, and any token may be ended by who has it', async () => {
    for (const bad of [{ claims: { role: 'c*' } }, { resource: 'acme/*' }, { claims: { sub: '' } }]) {
      const refused = await control(hub.control, 'trust', { ...publisher, ...bad }).catch(({ message }) => message);
      expect(/exact values/.test(refused), JSON.stringify(bad));
    }
    const { access_token: token } = await trade(await identity());
    const info = () => fetch(`${hub.url}/api/models/acme/other`, { headers: { authorization: `Bearer ${token}` } });
    const end = (body) => fetch(`${hub.url}/api/credentials/revoke`, { method: 'POST', body: JSON.stringify(body) });
    equal((await info()).status, 200, 'before');
    equal([(await end({})).status, (await end({ credentials: ['unknown', token] })).status, (await info()).status], [400, 200, 401], 'ended');
    await control(hub.control, 'token-answer', { expires_in: 999_999, token_type: null });
    const wrong = await trade(await identity());
    equal([wrong.expires_in, wrong.token_type], [999_999, undefined], 'a wrong answer to order');
  });
  await check('hf: uploads with the ID token of a job, without any stored token', async () => {
    const job = { ...env, HF_TOKEN_PATH: join(scratch, 'nothing'), HF_OIDC_RESOURCE: 'acme/other', HF_OIDC_ID_TOKEN: await identity() };
    await must(process.env.HF, ['upload', 'acme/other', join(files, 'config.json'), 'config.json'], { env: job });
  });
  await check('hub: the exchange of an organization for its members', async () => {
    await control(hub.control, 'options', { organization: { client_id: 'org', client_secret: 's', name: 'acme', members: ['ada@example.com'] } });
    const ask = (email, scope, secret = 's') => post(`${hub.url}/oauth/token`, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', subject_token_type: 'urn:huggingface:token-type:user-email', subject_token: email, scope,
    }, { authorization: `Basic ${Buffer.from(`org:${secret}`).toString('base64')}` });
    const { body } = await ask('ada@example.com', 'read-repos');
    equal([body.expires_in, body.access_token.startsWith('hf_oauth_')], [28_800, true], 'answer');
    const push = await fetch(`${hub.url}/acme/model/info/refs?service=git-receive-pack`, { headers: { authorization: `Bearer ${body.access_token}` } });
    equal(push.status, 403, 'read only');
    const organization = { client_id: 'org', client_secret: ['old', 'new'], name: 'acme', members: ['ada@example.com'] };
    await control(hub.control, 'options', { organization });
    for (const secret of organization.client_secret) equal((await ask('ada@example.com', 'write-repos', secret)).status, 200, `${secret} secret`);
    await control(hub.control, 'options', { organization: { ...organization, client_secret: 's' } });
    const errors = [await ask('eve@example.com', 'read-repos'), await ask('ada@example.com', 'everything'), await ask('ada@example.com', 'read-repos', 'x')];
    equal(errors.map((each) => each.body.error), ['invalid_grant', 'invalid_scope', 'invalid_client'], 'errors');
  });
}
