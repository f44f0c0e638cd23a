// Loads node packages from the cache folder that `install` fills: the clone itself holds no node_modules.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

function folder() {
  if (process.env.OAM_NODE_MODULES) return process.env.OAM_NODE_MODULES;
  const parts = process.env.OAM_PARTS ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'oam-test-parts');
  try {
    return /^OAM_NODE_MODULES=(.*)$/m.exec(readFileSync(join(parts, 'env'), 'utf8'))[1];
  } catch {
    throw new Error('the parts are not installed: run tests/parts/install');
  }
}

/** The path of what `install` put beside the packages. */
export const installed = (name) => join(folder(), '..', name);

const resolve = createRequire(join(folder(), 'resolve.cjs')).resolve;

export const load = (name) => import(pathToFileURL(resolve(name)).href);
