// Where the provider keeps grants, sessions and tokens: in memory, and in an append-only file that a restart reads again.
import { appendFileSync, existsSync, openSync, readFileSync, renameSync, writeFileSync, closeSync } from 'node:fs';
import { join } from 'node:path';

const now = () => Date.now();

export class Store {
  #items = new Map(); // "Model:id" -> { payload, expires }
  #byGrant = new Map(); // grantId -> Set of keys
  #file;
  #fd;

  constructor(folder) {
    if (!folder) return;
    this.#file = join(folder, 'store.ndjson');
    if (existsSync(this.#file)) this.#replay();
    this.#compact();
  }

  #replay() {
    for (const line of readFileSync(this.#file, 'utf8').split('\n')) {
      if (!line) continue;
      let entry;
      try { entry = JSON.parse(line); } catch { continue; } // the last line of a killed process
      if (entry.payload) this.#put(entry.key, entry);
      else this.#drop(entry.key);
    }
  }

  #compact() {
    const lines = [...this.#items].filter(([, item]) => !this.#dead(item)).map(([key, item]) => `${JSON.stringify({ key, ...item })}\n`);
    writeFileSync(`${this.#file}.new`, lines.join(''), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = openSync(this.#file, 'a', 0o600);
  }

  #dead(item) { return item.expires !== undefined && item.expires <= now(); }

  #put(key, { payload, expires }) {
    this.#items.set(key, { payload, expires });
    if (!payload.grantId) return;
    if (!this.#byGrant.has(payload.grantId)) this.#byGrant.set(payload.grantId, new Set());
    this.#byGrant.get(payload.grantId).add(key);
  }

  #drop(key) {
    const item = this.#items.get(key);
    this.#items.delete(key);
    if (item?.payload.grantId) this.#byGrant.get(item.payload.grantId)?.delete(key);
    return item !== undefined;
  }

  #write(entry) {
    if (this.#fd !== undefined) appendFileSync(this.#fd, `${JSON.stringify(entry)}\n`);
  }

  get(key) {
    const item = this.#items.get(key);
    return item && !this.#dead(item) ? item.payload : undefined;
  }

  set(key, payload, seconds) {
    const item = { payload, expires: typeof seconds === 'number' ? now() + seconds * 1000 : undefined };
    this.#put(key, item);
    this.#write({ key, ...item });
  }

  update(key, change) {
    const item = this.#items.get(key);
    if (!item) return;
    item.payload = { ...item.payload, ...change };
    this.#write({ key, ...item });
  }

  delete(key) {
    if (this.#drop(key)) this.#write({ key });
  }

  /** Live payloads of one model, with their ids. */
  * all(model) {
    for (const [key, item] of this.#items) {
      if (key.startsWith(`${model}:`) && !this.#dead(item)) yield [key.slice(model.length + 1), item.payload];
    }
  }

  deleteGrantMembers(grantId) {
    for (const key of [...(this.#byGrant.get(grantId) ?? [])]) this.delete(key);
  }

  /** Everything of one account goes: grants, tokens, sessions. Says how many. */
  deleteAccount(account, keep = () => false) {
    const keys = [...this.#items].filter(([key, { payload }]) => payload.accountId === account && !keep(key)).map(([key]) => key);
    for (const key of keys) this.delete(key);
    return keys.length;
  }

  /** Has this account a grant under which a refresh token or access token still lives? */
  grantLives(grantId) {
    if (!this.get(`Grant:${grantId}`)) return false;
    return [...(this.#byGrant.get(grantId) ?? [])].some((key) => {
      const payload = this.get(key);
      return payload && !payload.consumed && /^(RefreshToken|AccessToken):/.test(key);
    });
  }
}

/** The provider's adapter interface over the store. */
export function adapterOf(store) {
  return class Adapter {
    constructor(model) { this.model = model; }
    #key(id) { return `${this.model}:${id}`; }
    async upsert(id, payload, expiresIn) { store.set(this.#key(id), payload, expiresIn); }
    async find(id) { return store.get(this.#key(id)); }
    async findByUid(uid) { return this.#first((payload) => payload.uid === uid); }
    async findByUserCode(code) { return this.#first((payload) => payload.userCode === code); }
    async consume(id) { store.update(this.#key(id), { consumed: Math.floor(now() / 1000) }); }
    async destroy(id) { store.delete(this.#key(id)); }
    async revokeByGrantId(grantId) { store.deleteGrantMembers(grantId); }
    #first(matches) {
      for (const [, payload] of store.all(this.model)) if (matches(payload)) return payload;
      return undefined;
    }
  };
}
