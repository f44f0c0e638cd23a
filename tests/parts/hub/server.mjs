// Every request to the hub goes this way: hold, fault, gate, serve, log.
import { createServer } from 'node:http';
import { beforeAnswer, listen, sendJson } from '../lib/http.mjs';
import { carried, Refused } from './token.mjs';
import { gitAsk, serveGit } from './git.mjs';
import { lfsAsk, serveLfs, signatureHolds } from './lfs.mjs';
import { apiError, hfAsk, serveHf } from './hf.mjs';

const SERVE = { git: serveGit, lfs: serveLfs, hf: serveHf };

const findAsk = async (world, request, url) => gitAsk(request, url) ?? await lfsAsk(request, url) ?? await hfAsk(world, request, url);

/** Lets the request through or throws Refused. Answers the claims of its token, if it needed one. */
async function pass(world, ask, carrier, entry) {
  if (ask.signed) return null;
  if (!carrier && ask.action === 'read' && ask.repository !== null && world.gate.isPublic(ask.repository)) return null;
  const claims = await world.gate.check(carrier, ask.repository, ask.action);
  Object.assign(entry, { role: claims.role, sub: claims.sub, jti: claims.jti });
  if (world.disturbance.takeRejection()) throw new Refused(401, 'rejected by the test');
  return claims;
}

function refuse(world, response, ask, { status, message }) {
  const headers = status === 401 ? { 'www-authenticate': world.options.www_authenticate } : {};
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (ask?.kind === 'hf') apiError(response, status, status === 401 && message !== 'missing' ? 'Invalid credentials in Authorization header' : message);
  else sendJson(response, status, { message });
}

/** Serves what lies below the hub's own path; whatever is carried elsewhere stays in the log. */
async function belowPath(world, request, response, url, entry) {
  const { path } = world.options;
  if (!request.url.startsWith(`${path}/`)) {
    const carrier = carried(request);
    if (carrier) Object.assign(entry, { token: carrier.sha256, scheme: carrier.scheme, leaked: true });
    response.setHeader('www-authenticate', world.options.www_authenticate);
    sendJson(response, 401, { message: 'another service' });
    return;
  }
  request.url = request.url.slice(path.length);
  await answer(world, request, response, new URL(request.url, 'http://hub'), entry);
}

async function answer(world, request, response, url, entry) {
  const carrier = carried(request);
  if (carrier) Object.assign(entry, { token: carrier.sha256, scheme: carrier.scheme, user: carrier.user });
  await world.disturbance.hold(request, url.pathname + url.search, 'arrival');
  const fault = world.disturbance.takeFault(request, url.pathname + url.search);
  if (fault) {
    entry.reason = 'fault';
    response.writeHead(fault.status, { ...(fault.status === 401 ? { 'www-authenticate': world.options.www_authenticate } : {}), ...fault.headers });
    response.end(fault.body);
    return;
  }
  if (request.method === 'POST' && url.pathname === '/oauth/token') {
    await world.trust.serve(request, response, entry);
    return;
  }
  if (request.method === 'POST' && url.pathname === '/api/credentials/revoke') {
    await world.trust.serveRevocation(request, response, entry);
    return;
  }
  const ask = await findAsk(world, request, url);
  if (!ask) {
    sendJson(response, 404, { message: 'nothing here' });
    return;
  }
  Object.assign(entry, { kind: ask.kind, repository: ask.repository, action: ask.action, signed: ask.signed || undefined });
  try {
    const claims = await pass(world, ask, carrier, entry);
    await world.disturbance.hold(request, url.pathname + url.search, 'authorized');
    if (ask.repository !== null && !ask.makes && !world.repositories.exists(ask.repository)) {
      apiError(response, 404, 'Repository not found', 'RepoNotFound');
      return;
    }
    await SERVE[ask.kind](world, request, response, url, ask, claims);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    entry.reason = error.message;
    refuse(world, response, ask, error);
  }
}

function handler(world, host, work) {
  return async (request, response) => {
    const url = new URL(request.url, 'http://hub');
    const entry = { host, method: request.method, path: url.pathname + (url.searchParams.has('tag') ? '' : url.search), agent: request.headers['user-agent'] };
    beforeAnswer(response, (status) => world.events.add({ ...entry, status }));
    response.on('close', () => request.resume()); // what was not read must not stop the connection
    try {
      await work(world, request, response, url, entry);
    } catch (error) {
      entry.reason = `failed: ${error.message}`;
      process.stderr.write(`hub: ${error.stack}\n`);
      if (!response.headersSent) sendJson(response, 500, { message: 'failed' });
      else response.destroy();
    }
  };
}

/** The other host, as an object store: a signed link is all it takes, and a token sent here is a leak that the log shows. */
async function objectStore(world, request, response, url, entry) {
  const carrier = carried(request);
  if (carrier) Object.assign(entry, { token: carrier.sha256, scheme: carrier.scheme, leaked: true });
  if (!signatureHolds(request.method, url)) {
    entry.reason = 'link not signed or too old';
    sendJson(response, 403, { message: 'no' });
    return;
  }
  const ask = await lfsAsk(request, url);
  Object.assign(entry, { kind: 'lfs', repository: ask.repository, action: ask.action, signed: true });
  await serveLfs(world, request, response, url, ask);
}

export class Servers {
  constructor(world) {
    this.hub = createServer({ requestTimeout: 0 }, handler(world, 'hub', belowPath));
    this.store = createServer({ requestTimeout: 0 }, handler(world, 'store', objectStore));
  }

  async open(port) {
    this.port = await listen(this.hub, port || this.port || 0);
    return this.port;
  }

  async close() {
    await new Promise((resolve) => {
      this.hub.close(resolve);
      this.hub.closeAllConnections();
    });
  }
}
