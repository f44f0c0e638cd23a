// What the world may read of a part that signs: its keys, its metadata.
import { createServer } from 'node:http';
import { listen, sendJson } from './http.mjs';

/** Serves `/jwks` and the documents that `documents(issuer)` gives by path; counts what was fetched. */
export async function openPublic(keys, port, documents) {
  const counts = {};
  let pages = {};
  const server = createServer((request, response) => {
    const path = request.url.split('?')[0];
    counts[path] = (counts[path] ?? 0) + 1;
    if (path === '/jwks') return sendJson(response, 200, keys.publicSet());
    if (pages[path]) return sendJson(response, 200, pages[path]);
    return sendJson(response, 404, { error: 'nothing here' });
  });
  const bound = await listen(server, port);
  const issuer = `http://127.0.0.1:${bound}`;
  pages = documents(issuer);
  return {
    issuer,
    stats: () => ({ jwks: counts['/jwks'] ?? 0, requests: counts }),
    open: async () => { if (!server.listening) await listen(server, bound); },
    close: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}
