// Real git and git-lfs against the hub, with a credential helper of one line.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { control } from '../lib/client.mjs';
import { check, equal, expect, must, run, scratch } from './bench.mjs';
import { roleToken } from './tokens.mjs';

const HELPER = '!f() { test "$1" = get && echo username=hf_user && echo "password=$ROLE_TOKEN"; }; f';

function environment(token) {
  return {
    ROLE_TOKEN: token, HOME: scratch, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: join(scratch, 'gitconfig'), GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@example.com', GIT_COMMITTER_NAME: 'A', GIT_COMMITTER_EMAIL: 'a@example.com',
  };
}

export async function checkGit(idp, hub) {
  const env = environment(await roleToken(idp, hub));
  await must('git', ['config', '--global', 'credential.helper', HELPER], { env });
  await must('git', ['lfs', 'install', '--skip-repo'], { env });
  const work = join(scratch, 'work');
  await check('git: clone, commit, push; another clone sees it', async () => {
    await must('git', ['clone', '-q', `${hub.url}/acme/model`, work], { env });
    writeFileSync(join(work, 'notes.txt'), 'one\n');
    await must('git', ['add', '.'], { env, cwd: work });
    await must('git', ['commit', '-qm', 'notes'], { env, cwd: work });
    await must('git', ['push', '-q', 'origin', 'main'], { env, cwd: work });
    const { head } = await control(hub.control, 'head?path=acme/model');
    equal(head, (await must('git', ['rev-parse', 'HEAD'], { env, cwd: work })).stdout.trim(), 'head');
  });
  await check('git-lfs: push and clone of a large file', async () => {
    const bytes = randomBytes(3 << 20);
    writeFileSync(join(work, 'weights.safetensors'), bytes);
    await must('git', ['add', '.'], { env, cwd: work });
    await must('git', ['commit', '-qm', 'weights'], { env, cwd: work });
    await must('git', ['push', '-q', 'origin', 'main'], { env, cwd: work });
    const again = join(scratch, 'again');
    await must('git', ['clone', '-q', `${hub.url}/acme/model.git`, again], { env });
    expect(readFileSync(join(again, 'weights.safetensors')).equals(bytes), 'the same bytes');
    const stored = await control(hub.control, 'file?path=acme/model&file=weights.safetensors');
    expect(Buffer.from(stored.content, 'base64').toString().startsWith('version https://git-lfs'), 'a pointer in git');
    const { log } = await control(hub.control, 'log?kind=lfs&method=PUT');
    expect(log.length > 0 && log.at(-1).status === 200 && log.at(-1).token, `the upload carried the token: ${JSON.stringify(log)}`);
  });
  await check('git: datasets have their own prefix', async () => {
    const data = environment(await roleToken(idp, hub, { resource: 'datasets/acme/data' }));
    await must('git', ['clone', '-q', `${hub.url}/datasets/acme/data`, join(scratch, 'data')], { env: data });
  });
  await check('git: a reader clones, and its push is refused with 403', async () => {
    const reader = environment(await roleToken(idp, hub, { account: 'brian', scope: 'role:model-reader read' }));
    const copy = join(scratch, 'reader');
    await must('git', ['clone', '-q', `${hub.url}/acme/model`, copy], { env: reader });
    const push = await run('git', ['push', '-q', 'origin', 'main:main2'], { env: reader, cwd: copy });
    expect(push.code === 128 && /403/.test(push.stderr), `403: ${push.stderr}`);
  });
  await check('git: a push can be held at its POST; the token dies meanwhile', async () => {
    await control(idp.control, 'token-lifetime', { seconds: 2 });
    const brief = environment(await roleToken(idp, hub));
    await control(idp.control, 'token-lifetime', { seconds: 300 });
    await control(hub.control, 'hold', { path: 'git-receive-pack$', method: 'POST' });
    await must('git', ['commit', '-q', '--allow-empty', '-m', 'late'], { env, cwd: work });
    const push = run('git', ['push', '-q', 'origin', 'main'], { env: brief, cwd: work });
    await control(hub.control, 'wait?held=1&path=git-receive-pack');
    await new Promise((resolve) => { setTimeout(resolve, 2500); });
    await control(hub.control, 'release', {});
    expect((await push).code !== 0, 'refused');
    const { log } = await control(hub.control, 'log?method=POST&status=401');
    equal(log.at(-1).reason, 'expired', 'reason');
    await must('git', ['push', '-q', 'origin', 'main'], { env, cwd: work });
  });
  await check('git: an anonymous clone of a public repository never asks the helper', async () => {
    mkdirSync(join(scratch, 'public'));
    await must('git', ['clone', '-q', `${hub.url}/acme/open`, join(scratch, 'public', 'open')], { env: { ...env, ROLE_TOKEN: 'bad' } });
  });
}
