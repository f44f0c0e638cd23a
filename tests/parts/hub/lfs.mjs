// git-lfs: the batch API with basic transfers, objects on disk under their SHA-256.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { PassThrough, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { dirname, join } from 'node:path';
import { readBody, sendJson } from '../lib/http.mjs';

const ROUTE = /^\/((?:(?:datasets|spaces)\/)?[\w][\w.-]*\/[\w][\w.-]*?)(?:\.git)?\/info\/lfs\/(objects\/batch|objects\/verify|objects\/[0-9a-f]{64}|locks(?:\/.*)?)$/;
const TYPE = 'application/vnd.git-lfs+json';
const secret = randomBytes(32);

/** A link that carries its own permission for some minutes, as object stores hand out. Bound to method, path and time. */
export function sign(method, path, seconds = 900) {
  const until = Math.floor(Date.now() / 1000) + seconds;
  const tag = createHmac('sha256', secret).update(`${method} ${path} ${until}`).digest('hex');
  return `${path}?until=${until}&tag=${tag}`;
}

export function signatureHolds(method, url) {
  const until = url.searchParams.get('until') ?? '';
  const given = Buffer.from(url.searchParams.get('tag') ?? '', 'hex');
  const wanted = createHmac('sha256', secret).update(`${method} ${url.pathname} ${until}`).digest();
  return given.length === wanted.length && timingSafeEqual(given, wanted) && Number(until) * 1000 > Date.now();
}

/** Lets so many bytes a second pass; 0: all. */
const paced = (rate) => (rate === 0 ? new PassThrough() : new Transform({
  transform(chunk, encoding, done) { setTimeout(() => done(null, chunk), (1000 * chunk.length) / rate); },
}));

export class Objects {
  constructor(dir) { this.dir = dir; }
  path(oid) { return join(this.dir, oid.slice(0, 2), oid); }
  size(oid) { return existsSync(this.path(oid)) ? statSync(this.path(oid)).size : null; }

  async put(oid, stream, rate = 0) {
    const path = this.path(oid);
    const part = `${path}.${randomBytes(4).toString('hex')}`;
    mkdirSync(dirname(path), { recursive: true });
    const hash = createHash('sha256');
    stream.on('data', (chunk) => hash.update(chunk));
    await pipeline(stream, paced(rate), createWriteStream(part));
    if (hash.digest('hex') !== oid) {
      rmSync(part, { force: true });
      return false;
    }
    renameSync(part, path);
    return true;
  }
}

/** { repository, action } when the request is LFS's. The action of a batch is in its body, so that is read here. */
export async function lfsAsk(request, url) {
  const match = ROUTE.exec(url.pathname);
  if (!match) return null;
  const [, repository, rest] = match;
  const ask = { kind: 'lfs', repository, rest, action: 'read' };
  if (rest === 'objects/batch') {
    try { ask.batch = JSON.parse((await readBody(request)).toString()); } catch { ask.batch = {}; }
    if (ask.batch.operation !== 'download') ask.action = 'write';
  } else if (rest === 'objects/verify' || rest.startsWith('locks')) {
    ask.action = 'write';
  } else {
    ask.action = request.method === 'PUT' ? 'write' : 'read';
    ask.signed = signatureHolds(request.method, url);
  }
  return ask;
}

/** git-lfs sends its token to the links again; other clients expect links that need none. */
function link(world, request, method, path) {
  const own = /^git-lfs\//.test(request.headers['user-agent'] ?? '');
  return { href: own ? `${world.url}${path}` : `${world.cdn}${sign(method, path)}` };
}

function describe(world, request, ask, { oid, size }) {
  const base = `/${ask.repository}.git/info/lfs/objects`;
  const have = world.objects.size(oid);
  if (ask.batch.operation === 'download') {
    if (have === null) return { oid, size, error: { code: 404, message: 'no such object' } };
    return { oid, size: have, actions: { download: link(world, request, 'GET', `${base}/${oid}`) } };
  }
  if (have === size) return { oid, size };
  return { oid, size, actions: { upload: link(world, request, 'PUT', `${base}/${oid}`), verify: { href: `${world.url}${base}/verify` } } };
}

function batch(world, request, response, ask) {
  const objects = ask.batch.objects ?? [];
  const good = Array.isArray(objects) && objects.every(({ oid, size }) => /^[0-9a-f]{64}$/.test(oid) && Number.isInteger(size));
  if (!good) return sendJson(response, 422, { message: 'unreadable batch' }, { 'content-type': TYPE });
  return sendJson(response, 200, { transfer: 'basic', objects: objects.map((object) => describe(world, request, ask, object)) }, { 'content-type': TYPE });
}

function locks(world, response, ask) {
  const status = world.options.lfs_locks;
  if (status !== 200) return sendJson(response, status, { message: 'no locks here' }, { 'content-type': TYPE });
  return sendJson(response, 200, ask.rest === 'locks/verify' ? { ours: [], theirs: [] } : { locks: [] }, { 'content-type': TYPE });
}

export async function sendObject(world, response, oid, headers = {}) {
  const size = world.objects.size(oid);
  if (size === null) return sendJson(response, 404, { message: 'no such object' });
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size, ...headers });
  return pipeline(createReadStream(world.objects.path(oid)), paced(world.options.bytes_per_second), response);
}

export async function serveLfs(world, request, response, url, ask) {
  if (ask.rest.startsWith('locks')) return locks(world, response, ask);
  if (ask.rest === 'objects/batch') return batch(world, request, response, ask);
  if (ask.rest === 'objects/verify') {
    const { oid, size } = JSON.parse((await readBody(request)).toString());
    return sendJson(response, world.objects.size(oid) === size ? 200 : 404, {}, { 'content-type': TYPE });
  }
  const oid = ask.rest.slice('objects/'.length);
  if (request.method === 'GET') return sendObject(world, response, oid);
  if (request.method !== 'PUT') return sendJson(response, 405, {});
  const kept = await world.objects.put(oid, request, world.options.bytes_per_second);
  return sendJson(response, kept ? 200 : 422, kept ? {} : { message: 'content does not match its name' });
}
