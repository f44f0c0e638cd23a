#!/usr/bin/env node
// The hub of the integration tests: git, git-lfs and the Hugging Face API behind a gate that verifies every token itself.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { announce, main, readOptions } from './lib/process.mjs';
import { listen } from './lib/http.mjs';
import { Events } from './lib/events.mjs';
import { OPTIONS } from './hub/defaults.mjs';
import { Gate } from './hub/token.mjs';
import { exactPublisher, Trust } from './hub/trust.mjs';
import { Repositories } from './hub/repository.mjs';
import { Objects } from './hub/lfs.mjs';
import { Servers } from './hub/server.mjs';
import { Disturbance, openControl } from './hub/control.mjs';

function folder(options) {
  if (options.dir) {
    mkdirSync(options.dir, { recursive: true });
    return options.dir;
  }
  const fresh = mkdtempSync(join(tmpdir(), 'oam-hub-'));
  process.on('exit', () => rmSync(fresh, { recursive: true, force: true }));
  return fresh;
}

await main(async () => {
  const options = readOptions('OAM_HUB', OPTIONS);
  options.public = [...options.public];
  options.trusted_publishers = options.trusted_publishers.map(exactPublisher);
  const dir = folder(options);
  const repositories = new Repositories(dir);
  const world = { options, repositories, objects: new Objects(repositories.lfsDir), events: new Events(), disturbance: new Disturbance() };
  world.disturbance.onChange = () => world.events.touch();
  const servers = new Servers(world);
  world.url = `http://127.0.0.1:${await servers.open(options.port)}${options.path}`;
  world.cdn = `http://127.0.0.1:${await listen(servers.store)}`;
  world.trust = new Trust(options, world.url);
  world.gate = new Gate(options, world.url, world.trust);
  world.close = () => servers.close();
  world.open = async () => { if (!servers.hub.listening) await servers.open(); };
  for (const name of [...options.repositories, ...options.public]) await repositories.create(name);
  const control = await openControl(world);
  announce({ url: world.url, control, store: world.cdn, dir, audience: world.gate.audience });
});
