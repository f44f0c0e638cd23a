// Just enough of a browser: cookies by path, forms, and the text of a page.

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };
const decode = (text) => text
  .replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
  .replace(/&#x([0-9a-f]+);/gi, (_, code) => String.fromCodePoint(Number.parseInt(code, 16)))
  .replace(/&(\w+);/g, (all, name) => ENTITIES[name] ?? all);

export class Cookies {
  #jar;

  constructor(entries = []) { this.#jar = new Map(entries); }

  all() { return [...this.#jar]; }

  take(url, response) {
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...rest] = line.split(/; */);
      const attributes = Object.fromEntries(rest.map((part) => part.split('=')).map(([name, value]) => [name.toLowerCase(), value ?? true]));
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      const path = attributes.path ?? '/';
      const key = `${url.host}|${path}|${name}`;
      if (new Date(attributes.expires ?? Date.now() + 1000) < Date.now() || attributes['max-age'] === '0') this.#jar.delete(key);
      else this.#jar.set(key, { host: url.host, path, name, value });
    }
  }

  header(url) {
    const fits = ({ host, path }) => host === url.host && (url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`));
    return [...this.#jar.values()].filter(fits).map(({ name, value }) => `${name}=${value}`).join('; ');
  }
}

function attributes(tag) {
  const found = {};
  for (const [, name, , double, single, bare] of tag.matchAll(/([\w:-]+)(=(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?/g)) {
    found[name.toLowerCase()] = decode(double ?? single ?? bare ?? '');
  }
  return found;
}

/** The first form of a page: where it goes and what is filled in already. */
export function form(html, base) {
  const match = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(html);
  if (!match) return null;
  const { action = '', method = 'get' } = attributes(match[1]);
  const fields = new Map();
  for (const [, text] of match[2].matchAll(/<input\b([^>]*)>/gi)) {
    const { name, value = '', type } = attributes(text);
    if (name && type !== 'submit') fields.set(name, value);
  }
  return { url: new URL(action || base, base), method: method.toUpperCase(), fields };
}

export function pageText(html) {
  return decode(html.replace(/<(script|style|title)\b[\s\S]*?<\/\1>/gi, ' ').replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ').trim();
}
