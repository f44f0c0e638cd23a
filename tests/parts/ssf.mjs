#!/usr/bin/env node
// A transmitter of security events (Shared Signals, RFC 8417, RFC 8935): its own keys and name, and every dialect and mistake to order.
import { announce, main, readOptions } from './lib/process.mjs';
import { controlServer } from './lib/http.mjs';
import { Keys } from './lib/keys.mjs';
import { openPublic } from './lib/published.mjs';
import { Transmitter } from './ssf/transmitter.mjs';

const OPTIONS = {
  port: 0,
  control_port: 0,
  audience: null, // `aud` of its events unless a push says otherwise
  receiver: null, // URL to which it pushes unless a push says otherwise
  authorization: null, // header of each push, as the receiver chose it
  dialect: 'ssf', // or 'okta', 'google': how events name their subject
};

await main(async () => {
  const options = readOptions('OAM_SSF', OPTIONS);
  const keys = await Keys.open(null);
  const published = await openPublic(keys, options.port, (issuer) => ({
    '/.well-known/ssf-configuration': {
      spec_version: '1_0', issuer, jwks_uri: `${issuer}/jwks`, delivery_methods_supported: ['urn:ietf:rfc:8935'], default_subjects: 'ALL',
    },
  }));
  const { issuer } = published;
  const transmitter = new Transmitter(keys, issuer, options);
  const control = await controlServer({
    'POST /control/push': (input) => transmitter.push(input),
    'POST /control/make': async (input) => ({ set: await transmitter.make(input) }),
    'POST /control/options': (change) => { Object.assign(options, change); },
    'POST /control/rotate-keys': ({ drop = false }) => keys.rotate(drop),
    'GET /control/stats': () => published.stats(),
    'POST /control/down': () => published.close(),
    'POST /control/up': () => published.open(),
  }, options.control_port);
  announce({ issuer, control, jwks_uri: `${issuer}/jwks` });
});
