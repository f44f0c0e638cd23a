// How every part starts and ends: options from argv or the environment, one JSON line when ready, gone with its parent.
import { readFileSync } from 'node:fs';

/** Options are one JSON object: the first argument, or the variable; `@FILE` reads it from a file. */
export function readOptions(variable, defaults) {
  const text = process.argv[2] ?? process.env[variable] ?? '{}';
  const given = JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text);
  const unknown = Object.keys(given).filter((key) => !(key in defaults));
  if (unknown.length) throw new Error(`unknown options: ${unknown.join(', ')}; known: ${Object.keys(defaults).join(', ')}`);
  return { ...defaults, ...given };
}

/** A part ends when its stdin closes, which also happens when its parent dies in any way. */
export function endWithStdin() {
  process.on('SIGTERM', () => process.exit(0));
  if (process.env.OAM_PARTS_STAY === '1') return;
  for (const event of ['end', 'close', 'error']) process.stdin.on(event, () => process.exit(0));
  process.stdin.resume();
}

/** stdout carries the one line that says where the part listens; everything else goes to stderr. */
export function announce(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

export function chatterToStderr() {
  const say = process.env.OAM_PARTS_VERBOSE === '1' ? (...words) => console.error(...words) : () => {};
  for (const level of ['log', 'info', 'warn', 'debug']) console[level] = say;
}

export async function main(run) {
  chatterToStderr();
  endWithStdin();
  try {
    await run();
  } catch (error) {
    process.stderr.write(`${error.stack ?? error}\n`);
    process.exit(1);
  }
}
