// Endpoints beside the provider's own: the exchange with a JSON body, and introspection and revocation of role tokens.
import { basicCredentials, readBody, sendJson } from '../lib/http.mjs';
import { EXCHANGE } from './defaults.mjs';

function parse(request, body) {
  const text = body.toString();
  if (/^application\/json\b/i.test(request.headers['content-type'] ?? '')) return JSON.parse(text || '{}');
  return Object.fromEntries(new URLSearchParams(text));
}

function client(options, request, params) {
  const basic = basicCredentials(request);
  const id = basic?.user ?? params.client_id;
  const secret = basic?.password ?? params.client_secret;
  const found = options.clients.find((each) => each.client_id === id);
  if (!found) return null;
  return found.token_endpoint_auth_method === 'none' || found.client_secret === secret ? found : null;
}

const unknownClient = (response) => sendJson(response, 401, { error: 'invalid_client' }, { 'www-authenticate': 'Basic realm="provider"' });

async function exchangeJson({ options, exchange }, request, response, params) {
  const caller = client(options, request, params);
  if (!caller) return unknownClient(response);
  if (params.grant_type !== EXCHANGE) return sendJson(response, 400, { error: 'unsupported_grant_type' });
  if (!caller.grant_types?.includes(EXCHANGE)) return sendJson(response, 400, { error: 'unauthorized_client' });
  const { status, body } = await exchange.grant(params, caller.client_id);
  return sendJson(response, status, body);
}

async function introspect({ options, exchange }, request, response, params) {
  const caller = client(options, request, params);
  if (!caller || caller.token_endpoint_auth_method === 'none') return unknownClient(response);
  return sendJson(response, 200, exchange.introspect(params.token));
}

async function revoke({ options, exchange }, request, response, params) {
  if (!client(options, request, params)) return unknownClient(response);
  exchange.revoke(params.token);
  response.writeHead(200, { 'content-length': 0 });
  return response.end();
}

const ROUTES = { '/exchange-json': exchangeJson, '/token-introspection': introspect, '/exchange-revoke': revoke };

/** Serves one of these paths; says false when the request is for somebody else. */
export async function serveExtra(world, request, response) {
  const route = ROUTES[request.url.split('?')[0]];
  if (!route || request.method !== 'POST') return false;
  let params;
  try {
    params = parse(request, await readBody(request));
  } catch {
    sendJson(response, 400, { error: 'invalid_request' });
    return true;
  }
  await route(world, request, response, params);
  return true;
}
