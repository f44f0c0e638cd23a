// What the checks stand on: starting parts, running programs, counting results.
import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const scratch = mkdtempSync(join(tmpdir(), 'oam-selftest-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const children = new Set();
export const counts = { passed: 0, failed: 0 };
const only = process.argv[2] ? new RegExp(process.argv[2]) : null;

/** One check: prints a line; a thrown error is a failure, and the next check goes on. */
export async function check(name, run) {
  if (only && !only.test(name)) return;
  const started = Date.now();
  try {
    await run();
    counts.passed += 1;
    process.stdout.write(`ok    ${name} (${Date.now() - started} ms)\n`);
  } catch (error) {
    counts.failed += 1;
    process.stdout.write(`FAIL  ${name}\n      ${String(error.stack ?? error).split('\n').slice(0, 30).join('\n      ')}\n`);
  }
}

export function expect(condition, what) {
  if (!condition) throw new Error(`expected: ${what}`);
}

export function equal(found, wanted, what) {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`${what}: found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`);
}

/** Starts a part and waits for its line. */
export async function start(part, options = {}) {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`../${part}.mjs`, import.meta.url)), JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.add(child);
  const ended = new Promise((resolve) => { child.on('exit', (code, signal) => { children.delete(child); resolve({ code, signal }); }); });
  const first = await Promise.race([
    new Promise((resolve) => { createInterface({ input: child.stdout }).once('line', resolve); }),
    ended.then(() => { throw new Error(`${part} ended at its start`); }),
  ]);
  return { ...JSON.parse(first), child, ended, stop: () => { child.stdin.end(); return ended; } };
}

export function stopAll() {
  for (const child of children) child.stdin.end();
}

export function run(program, args, { cwd = scratch, env = {}, timeout = 60_000 } = {}) {
  return new Promise((resolve) => {
    const child = execFile(program, args, { cwd, timeout, env: { ...process.env, ...env }, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code ?? 1 : 0, signal: error?.signal, stdout, stderr });
    });
    child.stdin.end();
  });
}

export async function must(program, args, options) {
  const result = await run(program, args, options);
  if (result.code !== 0) throw new Error(`${program} ${args.join(' ')} -> ${result.code}\n${result.stdout.slice(-600)}\n${result.stderr.slice(-1500)}`);
  return result;
}
