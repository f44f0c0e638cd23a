// What a test may do to the hub, on a port of its own.
import { controlServer } from '../lib/http.mjs';
import { exactPublisher } from './trust.mjs';

const number = (value, other) => (value === undefined ? other : Number(value));

/** A predicate over log entries from a query: path (regular expression), method, status, kind, action, reason, token. */
function filter({ path, ...fields }) {
  const pattern = path === undefined ? null : new RegExp(path);
  const wanted = ['method', 'status', 'kind', 'action', 'reason', 'token', 'repository', 'scheme'].filter((name) => fields[name] !== undefined);
  return (entry) => (!pattern || pattern.test(entry.path)) && wanted.every((name) => String(entry[name]) === String(fields[name]));
}

export class Disturbance {
  faults = [];
  rejections = 0;
  #holds = [];
  #held = new Set();
  onChange = () => {};

  get held() { return [...this.#held].map(({ method, path }) => ({ method, path })); }

  addFault({ status, count = 1, paths = '.*', method, headers = {}, body = '' }) {
    this.faults.push({ status, count, paths: new RegExp(paths), method, headers, body });
  }

  takeFault(request, path) {
    const index = this.faults.findIndex((fault) => fault.paths.test(path) && (!fault.method || fault.method === request.method));
    if (index < 0) return null;
    const fault = this.faults[index];
    fault.count -= 1;
    if (fault.count === 0) this.faults.splice(index, 1);
    return fault;
  }

  takeRejection() {
    if (this.rejections === 0) return false;
    this.rejections -= 1; // a negative count never gets to zero
    return true;
  }

  addHold({ path = '.*', method, at = 'arrival', count = -1 }) {
    this.#holds.push({ path: new RegExp(path), method, at, count });
  }

  /** Waits until released when a hold fits. */
  async hold(request, path, at) {
    const hold = this.#holds.find((each) => each.at === at && each.count !== 0 && each.path.test(path) && (!each.method || each.method === request.method));
    if (!hold) return;
    hold.count -= 1;
    await new Promise((resolve) => {
      this.#held.add({ method: request.method, path, resolve });
      this.onChange();
    });
  }

  release() {
    this.#holds = [];
    for (const { resolve } of this.#held) resolve();
    this.#held.clear();
    this.onChange();
  }
}

function stats(world) {
  const count = (name) => world.events.log.reduce((sum, entry) => ({ ...sum, [entry[name]]: (sum[entry[name]] ?? 0) + 1 }), {});
  return { requests: world.events.log.length, status: count('status'), kind: count('kind'), tokens: new Set(world.events.log.map(({ token }) => token).filter(Boolean)).size };
}

async function content(world, { path, file, revision = 'main' }) {
  const found = (await world.repositories.list(path, revision)).find((each) => each.path === file);
  if (!found) return [404, { error: 'no such file' }];
  return { file, content: (await world.repositories.blob(path, found.oid)).toString('base64') };
}

export const openControl = (world) => controlServer({
  'GET /control/log': (query) => ({ log: world.events.log.filter(filter(query)) }),
  'GET /control/stats': () => stats(world),
  'POST /control/reset': () => world.events.clear(),
  'GET /control/wait': ({ count, deadline_ms, held, ...query }) => world.events.until(
    held ? () => world.disturbance.held.filter(filter(query)).length : () => world.events.log.filter(filter(query)).length,
    number(count, 1), number(deadline_ms, 10_000)),
  'POST /control/repo': async ({ path, files, public: open }) => {
    if (open) world.options.public.push(path);
    return { head: await world.repositories.create(path, files), url: `${world.url}/${path}` };
  },
  'GET /control/head': async ({ path, revision }) => ({ head: await world.repositories.head(path, revision) }),
  'GET /control/file': (query) => content(world, query),
  'POST /control/fault': (fault) => world.disturbance.addFault(fault),
  'POST /control/fault/clear': () => { world.disturbance.faults = []; },
  'POST /control/reject': ({ count = 1 }) => { world.disturbance.rejections = count; },
  'POST /control/hold': (hold) => world.disturbance.addHold(hold),
  'GET /control/hold': () => ({ held: world.disturbance.held }),
  'POST /control/release': () => world.disturbance.release(),
  'POST /control/options': (change) => {
    for (const name of ['introspect', 'introspection', 'www_authenticate', 'lfs_locks', 'lfs_threshold', 'bytes_per_second', 'leeway_seconds', 'bearer', 'public', 'typ', 'trusted_publishers', 'organization', 'hub_token_seconds']) {
      if (name in change) world.options[name] = name === 'trusted_publishers' ? change[name].map(exactPublisher) : change[name];
    }
  },
  'POST /control/trust': (publisher) => { world.options.trusted_publishers.push(exactPublisher(publisher)); },
  'POST /control/token-answer': ({ count = 1, ...values }) => { world.trust.answers.push({ values, count }); },
  'POST /control/revoke-token': ({ sha256 }) => ({ known: world.trust.revoke(sha256) }),
  'POST /control/down': () => world.close(),
  'POST /control/up': () => world.open(),
}, world.options.control_port);
