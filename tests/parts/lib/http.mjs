// The few things that every server here does with HTTP.
import { createServer } from 'node:http';
import { once } from 'node:events';

export async function listen(server, port = 0) {
  server.listen({ port, host: '127.0.0.1', exclusive: true });
  await once(server, 'listening');
  return server.address().port;
}

export async function readBody(request, limit = 1 << 24) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > limit) throw new Error('body too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function sendJson(response, status, value, headers = {}) {
  const text = JSON.stringify(value);
  response.writeHead(status, {
    'content-type': 'application/json', 'cache-control': 'no-store', 'content-length': Buffer.byteLength(text), ...headers,
  });
  response.end(text);
}

/** Calls back once with the status just before the answer leaves, so that whoever has the answer finds it in the log; 0: none was given. */
export function beforeAnswer(response, callback) {
  let told = false;
  const tell = (status) => {
    if (told) return;
    told = true;
    callback(status);
  };
  const write = response.writeHead;
  response.writeHead = function writeHead(status, ...rest) {
    tell(status);
    return write.call(this, status, ...rest);
  };
  response.on('close', () => tell(0));
}

/** Basic credentials of a request, form-decoded as RFC 6749 2.3.1 says, or null. */
export function basicCredentials(request) {
  const match = /^basic +(\S+)$/i.exec(request.headers.authorization ?? '');
  if (!match) return null;
  const [, user, password] = /^([^:]*):?([\s\S]*)$/.exec(Buffer.from(match[1], 'base64').toString('utf8'));
  return { user, password };
}

/** A control server: `routes` maps "GET /control/x" to an async function of (body or query) that returns [status, json] or json. */
export async function controlServer(routes, port = 0) {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://control');
    const route = routes[`${request.method} ${url.pathname}`];
    if (!route) return sendJson(response, 404, { error: 'no such control call', calls: Object.keys(routes) });
    try {
      const body = await readBody(request);
      const input = request.method === 'GET' ? Object.fromEntries(url.searchParams) : JSON.parse(body.toString() || '{}');
      const answer = await route(input, request);
      if (Array.isArray(answer)) sendJson(response, ...answer);
      else sendJson(response, 200, answer ?? {});
    } catch (error) {
      sendJson(response, 400, { error: error.message });
    }
  });
  server.keepAliveTimeout = 60_000;
  return `http://127.0.0.1:${await listen(server, port)}`;
}
