// The certified provider with our configuration. Rebuilt as a whole when keys or lifetimes change; the store stays.
import { load } from '../lib/modules.mjs';
import { adapterOf } from './store.mjs';
import { EXCHANGE } from './defaults.mjs';
import { sha256 } from '../lib/events.mjs';

const { default: Provider } = await load('oidc-provider');

function account(accounts) {
  return (_ctx, id) => {
    if (!Object.hasOwn(accounts, id)) return undefined;
    const { email, name, groups, claims } = accounts[id];
    return {
      accountId: id,
      claims: () => ({ sub: id, email, email_verified: true, name, preferred_username: id, groups, ...claims }),
    };
  };
}

function refreshSettings(options) {
  const settings = {};
  if (options.rotation !== 'as-it-comes') settings.rotateRefreshToken = options.rotation === 'always';
  if (!options.strict_offline) {
    settings.issueRefreshToken = (_ctx, client) => client.grantTypeAllowed('refresh_token');
    settings.expiresWithSession = () => options.expires_with_session;
  }
  return settings;
}

/** The clients as registered; `oam` hears of sign-outs when the test says where. */
function clients({ clients: list, alg, require_auth_time, backchannel_logout_uri: uri }) {
  const told = uri ? { backchannel_logout_uri: uri, backchannel_logout_session_required: true } : {};
  return list.map((client) => ({ id_token_signed_response_alg: alg, require_auth_time, ...client, ...(client.client_id === 'oam' ? told : {}) }));
}

/** The provider's own requests. Its default refuses loopback addresses, and everything here is one. */
function request(url, { dispatcher: _refusesLoopback, ...options }) {
  return fetch(url, options);
}

function configuration(options, store, keys) {
  const secondsOf = {
    IdToken: options.id_token_seconds, AccessToken: options.access_token_seconds, RefreshToken: options.refresh_token_seconds,
    Session: 14 * 24 * 3600, Grant: 30 * 24 * 3600, Interaction: 3600, DeviceCode: options.device_seconds,
  };
  return {
    adapter: adapterOf(store),
    clients: clients(options),
    fetch: request,
    jwks: { keys: keys.jwks },
    cookies: { keys: keys.cookies },
    findAccount: account(options.accounts),
    conformIdTokenClaims: false,
    scopes: ['openid', 'offline_access', 'profile', 'email', 'groups'],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'], groups: ['groups'], sid: null, auth_time: null },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
    pkce: { required: () => true },
    ttl: secondsOf,
    clientBasedCORS: () => false,
    interactions: { url: (_ctx, interaction) => `${options.issuer_path}/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: (_ctx, client, token) => client.clientAuthMethod !== 'none' || token.clientId === client.clientId },
      revocation: { enabled: true },
      deviceFlow: { enabled: options.device },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      userinfo: { enabled: true },
    },
    ...refreshSettings(options),
  };
}

/** Remembers under which grant an ID token was issued: the exchange asks whether that grant still lives. */
function rememberIdTokens(provider, store, options) {
  provider.on('grant.success', (ctx) => {
    const grant = ctx.oidc.entities.Grant;
    if (!ctx.body?.id_token || !grant) return;
    store.set(`IdToken:${sha256(ctx.body.id_token)}`,
      { accountId: grant.accountId, clientId: grant.clientId, grantId: grant.jti }, options.id_token_seconds + 60);
  });
}

/** What became of each logout token, for the tests to wait for. */
function noteBackchannels(provider, { backchannels, events }) {
  const note = (ok) => (client, account, sid, fault) => {
    backchannels.push({ ok, client: client.clientId, account, sid, fault });
    events.touch();
  };
  provider.on('backchannel.success', (_ctx, client, account, sid) => note(true)(client, account, sid));
  provider.on('backchannel.error', (_ctx, error, client, account, sid) => note(false)(client, account, sid, error.message));
}

export function buildProvider(issuer, world) {
  const { options, store, keys, exchange } = world;
  const provider = new Provider(issuer, configuration(options, store, keys));
  rememberIdTokens(provider, store, options);
  noteBackchannels(provider, world);
  provider.registerGrantType(EXCHANGE, async (ctx) => {
    const { status, body } = await exchange.grant(ctx.oidc.params, ctx.oidc.client.clientId);
    ctx.status = status;
    ctx.body = body;
  }, ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'audience', 'resource', 'scope'], []);
  if (!options.any_redirect_port) {
    provider.Client.prototype.redirectUriAllowed = function allowed(uri) { return this.redirectUris.includes(uri); };
  }
  provider.on('server_error', (_ctx, error) => process.stderr.write(`provider: ${error.stack}\n`));
  return provider;
}
