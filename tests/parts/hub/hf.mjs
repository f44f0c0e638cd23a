// The part of the Hugging Face API that `hf auth whoami`, `hf upload` and `hf download` use, over the same git repositories.
import { readBody, sendJson } from '../lib/http.mjs';
import { LFS_SUFFIXES, POINTER, pointer } from './repository.mjs';
import { sign } from './lfs.mjs';

const PREFIX = { model: '', dataset: 'datasets/', space: 'spaces/' };
const REPO = '([\\w][\\w.-]*/[\\w][\\w.-]*)';
const API = new RegExp(`^/api/(model|dataset|space)s/${REPO}(?:/([a-z-]+)(?:/([^/]+)(?:/(.*))?)?)?$`);
const FILE = new RegExp(`^/((?:datasets/|spaces/)?[\\w][\\w.-]*/[\\w][\\w.-]*)/(?:resolve|raw)/([^/]+)/(.+)$`);
const WRITES = new Set(['preupload', 'commit', 'xet-write-token']);
const XET_SECONDS = 900;

const decode = (text) => (text === undefined ? undefined : decodeURIComponent(text));

export const apiError = (response, status, message, code) => sendJson(response, status, { error: message },
  { 'x-error-message': message, ...(code ? { 'x-error-code': code } : {}) });

async function repositoryAsk(world, request, url) {
  const input = JSON.parse((await readBody(request)).toString() || '{}');
  const repository = `${PREFIX[input.type ?? 'model']}${input.organization}/${input.name}`;
  const call = url.pathname.endsWith('/create') ? 'create' : 'delete';
  // Asking for a repository that is there changes nothing: the client does so before every upload.
  const action = call === 'create' && world.repositories.exists(repository) ? 'write' : 'manage';
  return { kind: 'hf', call, repository, action, input, makes: true };
}

/** { repository, action, … } when the request is for this API, else null. */
export async function hfAsk(world, request, url) {
  const path = url.pathname;
  if (path === '/api/whoami-v2') return { kind: 'hf', call: 'whoami', repository: null, action: 'read' };
  if (path === '/api/repos/create' || path === '/api/repos/delete') return repositoryAsk(world, request, url);
  const api = API.exec(path);
  if (api) {
    const [, type, name, call = 'info', revision, rest] = api;
    const action = WRITES.has(call) ? 'write' : 'read';
    return { kind: 'hf', call, type, name, repository: PREFIX[type] + name, action, revision: decode(revision) ?? 'main', rest: decode(rest) };
  }
  const file = FILE.exec(path);
  if (!file) return null;
  return { kind: 'hf', call: 'file', repository: file[1], action: 'read', revision: decode(file[2]), rest: decode(file[3]) };
}

function whoami(world, request, response, ask, claims) {
  sendJson(response, 200, {
    type: 'user', id: claims.sub, name: claims.sub, fullname: claims.role ?? claims.sub, email: null, canPay: false, isPro: false,
    periodEnd: null, avatarUrl: '', orgs: [],
    auth: { type: 'access_token', accessToken: { displayName: claims.role ?? '', role: claims.actions?.includes('write') ? 'write' : 'read' } },
  });
}

async function create(world, request, response, ask) {
  const { organization, name, type = 'model' } = ask.input;
  const made = { url: `${world.url}/${ask.repository}`, name: `${organization}/${name}`, id: `${organization}/${name}` };
  if (world.repositories.exists(ask.repository)) {
    const message = `You already created this ${type} repo`;
    return sendJson(response, 409, { error: message, ...made }, { 'x-error-message': message });
  }
  await world.repositories.create(ask.repository);
  return sendJson(response, 200, made);
}

function remove(world, request, response, ask) {
  world.repositories.remove(ask.repository);
  response.writeHead(200, { 'content-length': 0 });
  response.end();
}

/** A file as the API shows it: the real size behind an LFS pointer, and its SHA-256. */
async function describe(world, ask, { path, oid, size }) {
  const pointed = size < 1024 ? POINTER.exec((await world.repositories.blob(ask.repository, oid)).toString()) : null;
  if (!pointed) return { type: 'file', path, oid, size };
  return { type: 'file', path, oid, size: Number(pointed[2]), lfs: { oid: pointed[1], size: Number(pointed[2]), pointerSize: size } };
}

const every = async (world, ask, files) => Promise.all(files.map((file) => describe(world, ask, file)));

async function info(world, request, response, ask) {
  const files = await every(world, ask, await world.repositories.list(ask.repository, ask.commit));
  const siblings = files.map(({ path, oid, size, lfs }) => ({ rfilename: path, size, blobId: oid, ...(lfs ? { lfs: { sha256: lfs.oid, size: lfs.size, pointerSize: lfs.pointerSize } } : {}) }));
  sendJson(response, 200, {
    _id: ask.commit.slice(0, 24), id: ask.name, modelId: ask.name, author: ask.name.split('/')[0], sha: ask.commit,
    private: !world.gate.isPublic(ask.repository), disabled: false, gated: false, downloads: 0, likes: 0, tags: [],
    lastModified: '2026-01-01T00:00:00.000Z', createdAt: '2026-01-01T00:00:00.000Z', siblings,
  });
}

async function tree(world, request, response, ask, claims, url) {
  const below = ask.rest ? `${ask.rest}/` : '';
  const files = (await world.repositories.list(ask.repository, ask.commit)).filter(({ path }) => path.startsWith(below));
  const recursive = ['true', 'True', '1'].includes(url.searchParams.get('recursive'));
  const here = recursive ? files : files.filter(({ path }) => !path.slice(below.length).includes('/'));
  const folders = recursive ? [] : [...new Set(files.map(({ path }) => path.slice(below.length)).filter((path) => path.includes('/')).map((path) => path.split('/')[0]))];
  sendJson(response, 200, [...folders.map((name) => ({ type: 'directory', path: below + name, oid: '0'.repeat(40), size: 0 })), ...await every(world, ask, here)]);
}

async function pathsInfo(world, request, response, ask) {
  const text = (await readBody(request)).toString();
  const wanted = /json/.test(request.headers['content-type'] ?? '') ? JSON.parse(text).paths : new URLSearchParams(text).getAll('paths');
  const files = await world.repositories.list(ask.repository, ask.commit);
  sendJson(response, 200, await every(world, ask, files.filter(({ path }) => wanted.includes(path))));
}

async function preupload(world, request, response, ask) {
  const { files = [] } = JSON.parse((await readBody(request)).toString());
  const known = new Map((await world.repositories.list(ask.repository, ask.commit)).map(({ path, oid }) => [path, oid]));
  const mode = ({ path, size }) => (size >= world.options.lfs_threshold || LFS_SUFFIXES.includes(path.split('.').pop()) ? 'lfs' : 'regular');
  sendJson(response, 200, { files: files.map((file) => ({ path: file.path, uploadMode: mode(file), shouldIgnore: false, oid: known.get(file.path) })) });
}

const safePath = (path) => typeof path === 'string' && path !== '' && !path.startsWith('/') && !path.split('/').some((part) => ['', '.', '..', '.git'].includes(part));

/** One line of a commit as a change, or a text that says what is wrong. */
function change(world, { key, value }) {
  if (!safePath(value.path?.replace(/\/$/, ''))) return 'unreadable path';
  switch (key) {
    case 'file': return { file: value.path, content: Buffer.from(value.content, value.encoding === 'base64' ? 'base64' : 'utf8') };
    case 'lfsFile':
      if (world.objects.size(value.oid) !== value.size) return `LFS object ${value.oid} was not uploaded`;
      return { file: value.path, content: pointer(value.oid, value.size) };
    case 'deletedFile': return { file: value.path, remove: true };
    case 'deletedFolder': return { file: value.path.replace(/\/$/, ''), remove: true };
    default: return `${key} is not supported`;
  }
}

async function commit(world, request, response, ask) {
  const lines = (await readBody(request, 1 << 28)).toString().split('\n').filter((line) => line.trim()).map((line) => JSON.parse(line));
  const header = lines.find(({ key }) => key === 'header')?.value ?? {};
  const changes = lines.filter(({ key }) => key !== 'header').map((line) => change(world, line));
  const wrong = changes.find((each) => typeof each === 'string');
  if (wrong) return apiError(response, 400, wrong);
  if (header.parentCommit && header.parentCommit !== ask.commit) return apiError(response, 412, 'A commit has happened since. Please refresh and try again.');
  const message = [header.summary || 'Upload', header.description].filter(Boolean).join('\n\n');
  const oid = await world.repositories.commit(ask.repository, ask.revision, message, changes);
  return sendJson(response, 200, { success: true, commitOid: oid, commitUrl: `${world.url}/${ask.repository}/commit/${oid}`, hookOutput: '' });
}

async function refs(world, request, response, ask) {
  sendJson(response, 200, { branches: [{ name: 'main', ref: 'refs/heads/main', targetCommit: ask.commit }], converts: [], tags: [], pullRequests: [] });
}

/** Regular files come from here; LFS objects from another host, by a link that needs no token. */
async function file(world, request, response, ask) {
  const found = (await world.repositories.list(ask.repository, ask.commit)).find(({ path }) => path === ask.rest);
  if (!found) return apiError(response, 404, 'Entry not found', 'EntryNotFound');
  const { lfs, oid, size } = await describe(world, ask, found);
  const headers = { 'x-repo-commit': ask.commit, 'accept-ranges': 'none', etag: `"${oid}"`, 'content-disposition': 'inline' };
  if (lfs) {
    const path = sign('GET', `/${ask.repository}.git/info/lfs/objects/${lfs.oid}`);
    response.writeHead(302, { ...headers, 'x-linked-etag': `"${lfs.oid}"`, 'x-linked-size': String(lfs.size), location: `${world.cdn}${path}`, 'content-length': 0 });
    return response.end();
  }
  response.writeHead(200, { ...headers, 'content-length': size, 'content-type': 'application/octet-stream' });
  return response.end(request.method === 'HEAD' ? undefined : await world.repositories.blob(ask.repository, oid));
}

/** What the store of large files takes, for one repository and ref. There is no such store here: whoever has it can show it to nobody. */
const xet = (scope) => (world, request, response, ask) => {
  const exp = Math.floor(Date.now() / 1000) + XET_SECONDS;
  const claims = { repository: ask.repository, ref: ask.revision, scope, exp };
  const accessToken = `xet_${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  sendJson(response, 200, { casUrl: world.cdn, accessToken, exp }, { 'x-xet-cas-url': world.cdn, 'x-xet-access-token': accessToken, 'x-xet-token-expiration': String(exp) });
};

const CALLS = {
  'xet-read-token': xet('read'), 'xet-write-token': xet('write'), whoami, create, delete: remove, info, revision: info, tree, 'paths-info': pathsInfo, preupload, commit, refs, file,
};

export async function serveHf(world, request, response, url, ask, claims) {
  const call = CALLS[ask.call];
  if (!call) return apiError(response, 404, `no such call: ${ask.call}`);
  // A pull request that is not open yet has no ref: its writer says so.
  const opens = ask.call === 'xet-write-token' && ask.revision === 'None' && url.searchParams.get('create_pr') === '1';
  if (ask.repository !== null && !ask.makes && !opens) {
    ask.commit = await world.repositories.head(ask.repository, ask.revision);
    if (!ask.commit) return apiError(response, 404, 'Revision not found', 'RevisionNotFound');
  }
  return call(world, request, response, ask, claims, url);
}
