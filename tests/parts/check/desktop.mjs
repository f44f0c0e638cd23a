// The keyring, the notifications and the tools for crashes and clocks, as a test would start them.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, equal, expect, must, run, scratch } from './bench.mjs';

/** Runs a script in a session bus of its own, with private folders; everything that it started ends with it. */
async function inSession(name, script) {
  const file = join(scratch, `${name}.sh`);
  const dir = join(scratch, name);
  writeFileSync(file, `set -eu\nmkdir -p -m 700 "${dir}/run" "${dir}/home"\nexport HOME="${dir}/home" XDG_RUNTIME_DIR="${dir}/run"\n${script}`);
  return (await must('dbus-run-session', ['--', 'bash', file], { timeout: 30_000 })).stdout.trim();
}

const KEYRING = `
printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null
printf secret | secret-tool store --label=oam service oam-selftest
secret-tool lookup service oam-selftest`; // the daemon ends with its bus

const DUNST = `
exec 3>"$HOME/display"
Xvfb -displayfd 3 -screen 0 640x480x24 -nolisten tcp 2>/dev/null & xvfb=$!
trap 'kill $xvfb 2>/dev/null || true' EXIT
until [ -s "$HOME/display" ]; do read -rt 0.05 <> <(:) || true; done
export DISPLAY=:$(cat "$HOME/display")
dunst 2>/dev/null & dunst=$!
trap 'kill $dunst $xvfb 2>/dev/null || true' EXIT
gdbus wait --session --timeout 10 org.freedesktop.Notifications
gdbus call --session --dest org.freedesktop.Notifications --object-path /org/freedesktop/Notifications \\
  --method org.freedesktop.Notifications.Notify oam 0 '' 'Signed out' 'Sign in again' '[]' '{}' 0 >/dev/null
until [ "$(dunstctl count displayed)" = 1 ]; do read -rt 0.05 <> <(:) || true; done
dunstctl count displayed`;

export async function checkDesktop() {
  await check('keyring: gnome-keyring in a private session keeps a secret', async () => equal(await inSession('keyring', KEYRING), 'secret', 'found'));
  await check('notifications: dunst under Xvfb shows one', async () => equal(await inSession('dunst', DUNST), '1', 'shown'));
  await check('crashes: strace kills at the n-th system call', async () => {
    const target = join(scratch, 'renamed');
    writeFileSync(`${target}.new`, 'x');
    const killed = await run('strace', ['-qq', '-f', '-o', '/dev/null', '-e', 'inject=rename,renameat,renameat2:signal=KILL:when=1', 'mv', '-T', `${target}.new`, target]);
    expect(killed.code !== 0 || killed.signal, 'killed');
  });
  await check('clocks: faketime moves the wall clock', async () => {
    equal((await must('faketime', ['2020-01-02 03:04:05', 'date', '+%Y'])).stdout.trim(), '2020', 'year');
  });
  await check('service manager: systemd-socket-activate passes a socket', async () => {
    const socket = join(scratch, 'activated.sock');
    const waiting = run('systemd-socket-activate', ['-l', socket, '-E', 'HOME', 'sh', '-c', 'echo "$LISTEN_FDS" >&2'], { timeout: 10_000 });
    const connect = `import socket,sys,time
for _ in range(200):
    try:
        s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); break
    except OSError: time.sleep(0.02)`;
    await must(process.env.PYTHON, ['-c', connect, socket]);
    expect(/^1$/m.test((await waiting).stderr), 'one descriptor');
  });
}
