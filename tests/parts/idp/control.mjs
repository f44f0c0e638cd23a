// What a test may do to the provider, on a port of its own.
import { randomBytes } from 'node:crypto';
import { controlServer } from '../lib/http.mjs';
import { mint } from '../lib/mint.mjs';

const LOGOUT = 'http://schemas.openid.net/event/backchannel-logout';

function watching({ front, events }) {
  const count = (query) => () => (query.accepted ? front.accepted : front.arrived)[query.event] ?? 0;
  return {
    'GET /control/stats': () => ({ ...front.arrived, accepted: front.accepted, peak: front.peak, log: events.log }),
    'GET /control/log': ({ event }) => ({ log: events.log.filter((entry) => !event || entry.event === event) }),
    'GET /control/wait': (query) => events.until(count(query), Number(query.count ?? 1), Number(query.deadline_ms ?? 10_000)),
    'POST /control/reset': () => front.reset(),
  };
}

function spoiling({ faults, tampering, front, events }) {
  return {
    'POST /control/fault': (fault) => { faults.add(fault); return { pending: faults.pending }; },
    'GET /control/fault': () => ({ pending: faults.pending }),
    'POST /control/fault/clear': () => faults.clear(),
    'POST /control/tamper': (plan) => tampering.setToken(plan),
    'POST /control/tamper-redirect': (plan) => tampering.setRedirect(plan),
    'POST /control/tamper/clear': () => tampering.clear(),
    'POST /control/release': () => faults.release(),
    'POST /control/answer': ({ endpoint, values, count = 1 }) => { front.overrides.push({ endpoint, values, count }); },
    'POST /control/exchange-answer': ({ count = 1, ...values }) => { front.overrides.push({ endpoint: 'token-exchange', values, count }); },
    'POST /control/answer/clear': () => { front.overrides = []; },
    'POST /control/down': () => front.close(),
    'POST /control/up': async () => { if (!front.server.listening) await front.open(); },
    ...Object.fromEntries(['GET', 'POST'].map((method) => [`${method} /control/trap`, () => { // where the fault "redirect" points
      front.arrived.trap = (front.arrived.trap ?? 0) + 1;
      events.touch();
      return [200, { trapped: true }];
    }])),
  };
}

function people({ options, store, exchange }) {
  return {
    'POST /control/revoke-account': ({ account }) => ({ destroyed: store.deleteAccount(account) }),
    'POST /control/account': ({ sub, ...change }) => { options.accounts[sub] = { ...options.accounts[sub], ...change }; },
    'POST /control/delete-account': ({ account }) => { delete options.accounts[account]; },
    'POST /control/policy': ({ policy }) => { options.policy = policy; },
    'GET /control/grants': () => ({
      grants: [...store.all('Grant')].map(([id, { accountId, clientId }]) => ({ id, account: accountId, client: clientId, live: store.grantLives(id) })),
    }),
    'GET /control/role-tokens': () => ({ tokens: exchange.liveRoleTokens() }),
    'POST /control/introspect': ({ token }) => exchange.introspect(token),
  };
}

function lifetimes({ options, rebuild }) {
  const seconds = (name) => ({ seconds: value }) => { options[name] = value; rebuild(); };
  return {
    'POST /control/token-lifetime': ({ seconds: value }) => { options.role_token_seconds = value; },
    'POST /control/id-token-lifetime': seconds('id_token_seconds'),
    'POST /control/access-token-lifetime': seconds('access_token_seconds'),
    'POST /control/refresh-token-lifetime': seconds('refresh_token_seconds'),
    'POST /control/id-token-at-refresh': ({ value }) => { options.id_token_at_refresh = value; },
    'POST /control/rotation': ({ value }) => { options.rotation = value; rebuild(); },
    'POST /control/token-format': ({ value }) => { options.role_token_format = value; },
  };
}

/** Any claims as this provider would sign them. */
const forge = async ({ keys, issuer }, input) => ({ token: await mint(keys, { ...input, claims: { iss: issuer, ...input.claims } }) });

async function backchannel(world, { account, sid, uri, client = 'oam', claims = {}, header = {}, ...rest }) {
  const { token } = await forge(world, {
    claims: { aud: client, jti: randomBytes(12).toString('hex'), sub: account, sid, events: { [LOGOUT]: {} }, ...claims },
    header: { typ: 'logout+jwt', ...header }, seconds: 120, ...rest,
  });
  if (!uri) return { logout_token: token };
  const answer = await fetch(uri, { method: 'POST', redirect: 'manual', body: new URLSearchParams({ logout_token: token }) });
  return { logout_token: token, status: answer.status, body: await answer.text() };
}

function signing(world) {
  return {
    'POST /control/rotate-keys': async ({ drop = false, same_kid = false }) => {
      await (same_kid ? world.keys.replace() : world.keys.rotate(drop));
      world.rebuild();
      return { kids: world.keys.jwks.map((key) => key.kid) };
    },
    'POST /control/mint': (input) => forge(world, input),
    'POST /control/backchannel': (input) => backchannel(world, input),
    'POST /control/backchannel-uri': ({ uri }) => { world.options.backchannel_logout_uri = uri; world.rebuild(); },
    'GET /control/backchannels': () => ({ sent: world.backchannels }),
  };
}

export const openControl = (world) => controlServer({
  ...watching(world), ...spoiling(world), ...people(world), ...lifetimes(world), ...signing(world),
}, world.options.control_port);
