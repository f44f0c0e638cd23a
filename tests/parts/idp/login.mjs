// The page at which a person signs in, and the consent that follows without asking.
import { readBody } from '../lib/http.mjs';

const escape = (text) => String(text).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

const page = (title, body) => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title></head><body><h1>${escape(title)}</h1>${body}</body></html>`;

function loginForm(details, message) {
  const client = escape(details.params.client_id);
  return page('Sign in', `
<p>${client} asks who you are.</p>
${message ? `<p role="alert">${escape(message)}</p>` : ''}
<form method="post">
<label>Account <input name="account" autocomplete="username" value="${escape(details.params.login_hint ?? '')}"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button name="action" value="login" id="login">Sign in</button>
<button name="action" value="deny" id="deny">Deny</button>
</form>`);
}

function send(response, status, html) {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'", 'x-frame-options': 'DENY',
  });
  response.end(html);
}

async function consent(provider, details) {
  const { prompt, params, session } = details;
  const grant = details.grantId
    ? await provider.Grant.find(details.grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
  if (prompt.details.missingOIDCClaims) grant.addOIDCClaims(prompt.details.missingOIDCClaims);
  return { consent: { grantId: await grant.save() } };
}

function signIn(form, accounts) {
  if (form.get('action') === 'deny') {
    return { result: { error: 'access_denied', error_description: 'End-User aborted interaction' } };
  }
  const name = form.get('account') ?? '';
  const account = Object.hasOwn(accounts, name) ? accounts[name] : undefined;
  if (!account || account.password !== form.get('password')) return { message: 'Wrong account or password.' };
  if (account.disabled) return { message: 'This account is switched off.' };
  return { result: { login: { accountId: name } } };
}

/** Serves /interaction/UID; says false when the request is for somebody else. */
export async function serveInteraction(provider, accounts, request, response) {
  if (!/^\/interaction\/[\w-]+$/.test(new URL(request.url, 'http://x').pathname)) return false;
  let details;
  try {
    details = await provider.interactionDetails(request, response);
  } catch {
    send(response, 400, page('Sign in', '<p>This sign-in has expired. Start again.</p>'));
    return true;
  }
  if (details.prompt.name === 'consent') {
    await provider.interactionFinished(request, response, await consent(provider, details), { mergeWithLastSubmission: true });
    return true;
  }
  if (request.method !== 'POST') {
    send(response, 200, loginForm(details));
    return true;
  }
  const { result, message } = signIn(new URLSearchParams((await readBody(request)).toString()), accounts);
  if (result) await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  else send(response, 401, loginForm(details, message));
  return true;
}
