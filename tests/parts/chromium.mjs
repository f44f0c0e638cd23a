#!/usr/bin/env node
// The same person as browser.mjs, in a real headless Chromium.
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from './lib/modules.mjs';

const { default: playwright } = await load('playwright-core');

const account = process.env.OAM_TEST_ACCOUNT ?? 'ada';
const password = process.env.OAM_TEST_PASSWORD ?? account;
const deny = process.env.OAM_TEST_DENY === '1';
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-proxy-server'];

async function step(page) {
  if (await page.locator('input[name=password]').count()) {
    await page.fill('input[name=account]', account);
    await page.fill('input[name=password]', password);
    await Promise.all([page.waitForNavigation(), page.click(deny ? '#deny' : '#login')]);
    if (!deny && await page.locator('input[name=password]').count()) throw new Error('sign-in refused');
    return true;
  }
  if (await page.locator('input[name=confirm]').count()) {
    const button = deny ? 'button[name=abort]' : 'button[type=submit]:not([name=abort])';
    await Promise.all([page.waitForNavigation(), page.click(button)]);
    return true;
  }
  if (await page.locator('input[name=user_code]').count()) {
    const code = process.env.OAM_TEST_USER_CODE;
    if (code) await page.fill('input[name=user_code]', code);
    await Promise.all([page.waitForNavigation(), page.click('button[type=submit]')]);
    return true;
  }
  return false;
}

async function visit(start, profile) {
  const context = await playwright.chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS, headless: true, timeout: 30_000,
  });
  try {
    const page = context.pages()[0] ?? await context.newPage();
    page.setDefaultTimeout(20_000);
    let last;
    page.on('response', (response) => { // redirects have a response of their own; the document's last one counts
      if (response.request().isNavigationRequest() && response.frame() === page.mainFrame()) last = response.status();
    });
    await page.goto(start, { waitUntil: 'load' });
    for (let steps = 0; steps < 8 && await step(page); steps += 1) await page.waitForLoadState('load');
    if (process.env.OAM_TEST_SCREENSHOT) await page.screenshot({ path: process.env.OAM_TEST_SCREENSHOT });
    return { status: last, text: (await page.innerText('body')).replace(/\s+/g, ' ').trim() };
  } finally {
    await context.close();
  }
}

const profile = mkdtempSync(join(tmpdir(), 'oam-chromium-'));
try {
  const start = process.argv[2];
  if (process.env.OAM_TEST_OPENED) appendFileSync(process.env.OAM_TEST_OPENED, `${start}\n`);
  const { status, text } = await visit(start, profile);
  process.stdout.write(`${text}\n`);
  if (status !== 200) process.stderr.write(`the last page answered ${status}\n`);
  process.exitCode = status === 200 ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(profile, { recursive: true, force: true });
}
