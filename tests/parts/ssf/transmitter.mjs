// Events as transmitters really send them, and as they must not.
import { randomBytes } from 'node:crypto';
import { mint } from '../lib/mint.mjs';

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';
const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/';

/** Short names for the event types; a URI is taken as it is. */
const TYPES = {
  'session-revoked': `${CAEP}session-revoked`, 'credential-change': `${CAEP}credential-change`, 'token-claims-change': `${CAEP}token-claims-change`,
  'assurance-level-change': `${CAEP}assurance-level-change`, 'session-established': `${CAEP}session-established`,
  'account-disabled': `${RISC}account-disabled`, 'account-purged': `${RISC}account-purged`, 'account-enabled': `${RISC}account-enabled`,
  'sessions-revoked': `${RISC}sessions-revoked`, 'risc-verification': `${RISC}verification`,
  verification: `${SSF}verification`, 'stream-updated': `${SSF}stream-updated`,
};

const seconds = () => Math.floor(Date.now() / 1000);

/** How each dialect says whom an event is about: top level, and inside the event. */
const DIALECTS = {
  // SSF 1.0 §4: `sub_id` at the top.
  ssf: ({ subject, event, at }) => ({ sub_id: subject, payload: { event_timestamp: at, ...event } }),
  // No top-level subject; in the event either simple or complex without `format`; milliseconds.
  okta: ({ subject, event, at }) => ({ payload: { subject: subject?.format ? { user: subject } : subject, event_timestamp: at * 1000, initiating_entity: 'admin', reason_admin: { en: 'Automated' }, ...event } }),
  // `subject_type` with a hyphen instead of `format`, no top-level subject, no time.
  google: ({ subject, event }) => {
    const { format, ...members } = subject ?? {};
    return { payload: { ...(subject ? { subject: { subject_type: format?.replace('_', '-'), ...members } } : {}), ...event } };
  },
};

export class Transmitter {
  constructor(keys, issuer, options) {
    Object.assign(this, { keys, issuer, options });
  }

  /**
   * A signed event. `type` is a short name or a URI, `subject` as RFC 9493 writes it, `event` the members of the payload.
   * `claims`, `header`, `alg`, `key`, `broken` spoil it as `lib/mint.mjs` says; a claim that is null is left out.
   */
  async make({ type, subject, event = {}, dialect = this.options.dialect, at = seconds(), events, claims = {}, header = {}, aud = this.options.audience, ...forgery }) {
    const shape = DIALECTS[dialect];
    if (!shape) throw new Error(`unknown dialect ${dialect}; known: ${Object.keys(DIALECTS).join(', ')}`);
    const uri = TYPES[type] ?? type;
    if (!events && !/^https?:/.test(uri ?? '')) throw new Error(`unknown type ${type}; known: ${Object.keys(TYPES).join(', ')}`);
    const { sub_id: subId = null, payload } = shape({ subject, event, at });
    return mint(this.keys, {
      claims: { iss: this.issuer, aud, jti: randomBytes(12).toString('hex'), iat: seconds(), sub_id: subId, events: events ?? { [uri]: payload }, ...claims },
      header: { typ: 'secevent+jwt', ...header }, exp: false, ...forgery,
    });
  }

  /** Makes one (or takes `set`) and pushes it to `url`: what came back. */
  async push({ url = this.options.receiver, set, authorization = this.options.authorization, content_type: type = 'application/secevent+jwt', ...event }) {
    if (!url) throw new Error('no receiver: give url, or start with the option receiver');
    const body = set ?? await this.make(event);
    const answer = await fetch(url, {
      method: 'POST', redirect: 'manual', body,
      headers: { 'content-type': type, accept: 'application/json', ...(authorization ? { authorization } : {}) },
    });
    const text = await answer.text();
    let json = null;
    try { json = JSON.parse(text); } catch { /* an empty body, as it should be */ }
    return { set: body, status: answer.status, type: answer.headers.get('content-type'), body: text, json };
  }
}
