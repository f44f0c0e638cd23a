// The self-test: an identity provider and a hub, and everything that the integration tests will lean on.
import { counts, check, expect, start, stopAll } from './bench.mjs';
import { checkProvider } from './provider.mjs';
import { checkFaults } from './faults.mjs';
import { checkTokens } from './tokens.mjs';
import { checkGit } from './git.mjs';
import { checkHf } from './hf.mjs';
import { checkSignals } from './signals.mjs';
import { checkJobs } from './jobs.mjs';
import { checkDesktop } from './desktop.mjs';

const idp = await start('idp');
const hub = await start('hub', {
  issuer: idp.issuer, introspection: { url: idp.token_introspection, client_id: 'hub', client_secret: 'hub-secret' },
  repositories: ['acme/model', 'acme/other', 'datasets/acme/data'], public: ['acme/open'],
});
await checkProvider(idp);
await checkFaults(idp);
await checkTokens(idp, hub);
await checkGit(idp, hub);
await checkHf(idp, hub);
await checkSignals(idp);
await checkJobs();
await checkDesktop();
await check('a part ends when its stdin closes', async () => {
  const { code } = await Promise.race([hub.stop(), new Promise((resolve) => { setTimeout(resolve, 3000, {}); })]);
  expect(code === 0, 'exit 0 within 3 s');
});
stopAll();
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
process.exitCode = counts.failed ? 1 : 0;
