// git over smart HTTP: the gate decides, git's own backend serves.
import { httpBackend } from './repository.mjs';

const ROUTE = /^\/((?:(?:datasets|spaces)\/)?[\w][\w.-]*\/[\w][\w.-]*?)(?:\.git)?\/(info\/refs|git-upload-pack|git-receive-pack|HEAD|objects\/.+)$/;

function asked(method, rest, query) {
  if (rest === 'info/refs') return query.get('service') ?? 'git-upload-pack';
  return rest.startsWith('git-') ? rest : 'git-upload-pack';
}

/** { repository, action } when the request is git's, else null. */
export function gitAsk(request, url) {
  const match = ROUTE.exec(url.pathname);
  if (!match) return null;
  const service = asked(request.method, match[2], url.searchParams);
  return { kind: 'git', repository: match[1], rest: match[2], action: service === 'git-receive-pack' ? 'write' : 'read' };
}

function readHead(buffer) {
  const text = buffer.toString('latin1');
  const end = /\r?\n\r?\n/.exec(text);
  if (!end) return null;
  const headers = {};
  for (const row of text.slice(0, end.index).split(/\r?\n/)) {
    const colon = row.indexOf(':');
    headers[row.slice(0, colon).toLowerCase()] = row.slice(colon + 1).trim();
  }
  const { status = '200', ...rest } = headers;
  return { status: Number.parseInt(status, 10), headers: rest, body: buffer.subarray(end.index + end[0].length) };
}

function environment(world, request, url, ask, claims) {
  const { headers } = request;
  return {
    GIT_PROJECT_ROOT: world.repositories.gitDir, GIT_HTTP_EXPORT_ALL: '1', PATH_INFO: `/${ask.repository}.git/${ask.rest}`,
    QUERY_STRING: url.search.slice(1), REQUEST_METHOD: request.method, CONTENT_TYPE: headers['content-type'] ?? '',
    CONTENT_LENGTH: headers['content-length'] ?? '', HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
    GIT_PROTOCOL: headers['git-protocol'] ?? '', REMOTE_ADDR: '127.0.0.1', REMOTE_USER: claims?.sub ?? '',
  };
}

/** Streams a request through git's backend and its answer back. */
export function serveGit(world, request, response, url, ask, claims) {
  return new Promise((resolve) => {
    const child = httpBackend(environment(world, request, url, ask, claims));
    let head = null;
    let pending = Buffer.alloc(0);
    request.pipe(child.stdin);
    child.stdin.on('error', () => {});
    child.stderr.on('data', (text) => { if (process.env.OAM_PARTS_VERBOSE === '1') process.stderr.write(text); });
    child.stdout.on('data', (chunk) => {
      if (head) { response.write(chunk); return; }
      pending = Buffer.concat([pending, chunk]);
      head = readHead(pending);
      if (!head) return;
      response.writeHead(head.status, head.headers);
      response.write(head.body);
    });
    child.stdout.on('end', () => {
      if (!head) response.writeHead(500);
      response.end();
    });
    child.on('close', resolve);
    response.on('close', () => { if (!response.writableFinished) child.kill(); });
  });
}
