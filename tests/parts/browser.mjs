#!/usr/bin/env node
// A person without a screen: opens URL, signs in, follows every redirect up to the page that awaits the browser.
// For use as $BROWSER. OAM_TEST_STOP_AT is a path that it can't reach: the address is printed instead. OAM_TEST_ACCOUNT says who (default ada), OAM_TEST_PASSWORD the password (default: the account's
// name), OAM_TEST_DENY=1 presses "Deny", OAM_TEST_USER_CODE is typed where a device code is asked for, OAM_TEST_COOKIES is
// a file that keeps the cookies from one run to the next, so that somebody who signed in can sign out.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Cookies, form, pageText } from './lib/page.mjs';

const account = process.env.OAM_TEST_ACCOUNT ?? 'ada';
const password = process.env.OAM_TEST_PASSWORD ?? account;
const deny = process.env.OAM_TEST_DENY === '1';
const jar = process.env.OAM_TEST_COOKIES;
const cookies = new Cookies(jar && existsSync(jar) ? JSON.parse(readFileSync(jar, 'utf8')) : []);
let signedIn = 0;

async function request(url, { method = 'GET', fields } = {}) {
  const cookie = cookies.header(url);
  const response = await fetch(url, {
    method, redirect: 'manual', signal: AbortSignal.timeout(20_000),
    headers: { accept: 'text/html', 'accept-language': 'en', ...(cookie ? { cookie } : {}) },
    body: fields ? new URLSearchParams([...fields]) : undefined,
  });
  cookies.take(url, response);
  return response;
}

/** What a person would do with this page's form, or null when there is nothing to do. */
function fill(html, url) {
  const found = form(html, url);
  if (!found) return null;
  const { fields } = found;
  if (fields.has('password')) {
    signedIn += 1;
    if (signedIn > 1 && !deny) throw new Error(`sign-in refused: ${pageText(html)}`);
    fields.set('account', account).set('password', password).set('action', deny ? 'deny' : 'login');
  } else if (url.pathname.endsWith('/session/end')) {
    fields.set('logout', 'yes');
  } else if (fields.has('confirm')) {
    if (deny) fields.set('abort', 'yes');
  } else if (fields.has('user_code')) {
    const code = process.env.OAM_TEST_USER_CODE ?? url.searchParams.get('user_code');
    if (code) fields.set('user_code', code);
  }
  return found;
}

async function visit(start) {
  let url = new URL(start);
  let response = await request(url);
  for (let step = 0; step < 30; step += 1) {
    const location = response.headers.get('location');
    if (response.status >= 300 && response.status < 400 && location) {
      url = new URL(location, url);
      // A browser of another machine: it can't reach the loopback of this one, and shows the address.
      if (process.env.OAM_TEST_STOP_AT && url.pathname === process.env.OAM_TEST_STOP_AT) return { status: 200, text: url.href, url };
      response = await request(url);
      continue;
    }
    const html = await response.text();
    const next = fill(html, url);
    if (!next) return { status: response.status, text: pageText(html), url };
    url = next.url;
    if (next.method !== 'POST') url.search = new URLSearchParams([...next.fields]);
    response = await request(url, next.method === 'POST' ? { method: 'POST', fields: next.fields } : {});
  }
  throw new Error('too many steps');
}

try {
  const start = process.argv[2];
  if (process.env.OAM_TEST_OPENED) appendFileSync(process.env.OAM_TEST_OPENED, `${start}\n`);
  const { status, text, url } = await visit(start);
  if (jar) writeFileSync(jar, JSON.stringify(cookies.all()), { mode: 0o600 });
  process.stdout.write(`${text}\n`);
  if (status !== 200) process.stderr.write(`${url.origin}${url.pathname} answered ${status}\n`);
  process.exitCode = status === 200 ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error.message}${error.cause ? `: ${error.cause.message}` : ''}\n`);
  process.exitCode = 1;
}
