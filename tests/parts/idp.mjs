#!/usr/bin/env node
// The identity provider of the integration tests: `oidc-provider`, a sign-in page, a token exchange, and a control port.
import { createServer } from 'node:http';
import { mkdirSync } from 'node:fs';
import { announce, main, readOptions } from './lib/process.mjs';
import { listen } from './lib/http.mjs';
import { Events } from './lib/events.mjs';
import { OPTIONS } from './idp/defaults.mjs';
import { Keys } from './lib/keys.mjs';
import { Store } from './idp/store.mjs';
import { Exchange } from './idp/exchange.mjs';
import { Faults } from './idp/faults.mjs';
import { Tampering } from './idp/tamper.mjs';
import { Front } from './idp/front.mjs';
import { buildProvider } from './idp/provider.mjs';
import { serveInteraction } from './idp/login.mjs';
import { serveExtra } from './idp/extra.mjs';
import { openControl } from './idp/control.mjs';

/** The provider itself listens behind the front; it may be rebuilt while the front stays. */
async function openInner(world) {
  const { issuer_path: prefix } = world.options;
  const server = createServer(async (request, response) => {
    try {
      if (prefix && request.url.startsWith(`${prefix}/`)) {
        request.originalUrl = request.url; // the provider takes the difference as the path at which it is mounted
        request.url = request.url.slice(prefix.length);
      }
      if (await serveExtra(world, request, response)) return;
      if (await serveInteraction(world.provider, world.options.accounts, request, response)) return;
      world.handle(request, response);
    } catch (error) {
      process.stderr.write(`provider: ${error.stack}\n`);
      response.destroy();
    }
  });
  server.keepAliveTimeout = 0;
  return listen(server);
}

await main(async () => {
  const options = readOptions('OAM_IDP', OPTIONS);
  if (options.state) mkdirSync(options.state, { recursive: true, mode: 0o700 });
  const keys = await Keys.open(options.state);
  const store = new Store(options.state);
  const world = { options, keys, store, events: new Events(), faults: new Faults(), tampering: new Tampering(), backchannels: [] };
  world.front = new Front(world);
  // The port first: the issuer's name contains it.
  const issuer = `http://127.0.0.1:${await world.front.open(options.port)}${options.issuer_path}`;
  world.issuer = issuer;
  world.exchange = new Exchange({ issuer, options, store, keys, current: () => world.provider });
  world.rebuild = () => {
    world.provider = buildProvider(issuer, world);
    world.handle = world.provider.callback();
  };
  world.rebuild();
  world.front.inner = await openInner(world);
  world.front.control = await openControl(world);
  announce({
    issuer, control: world.front.control, client_id: 'oam', token_endpoint: `${issuer}/token`,
    exchange_json: `${issuer}/exchange-json`, token_introspection: `${issuer}/token-introspection`,
    exchange_revoke: `${issuer}/exchange-revoke`, jwks_uri: `${issuer}/jwks`,
  });
});
