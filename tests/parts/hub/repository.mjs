// Bare repositories on disk, and what can be done to them with git's own plumbing.
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const NAME = /^(?:(?:datasets|spaces)\/)?[\w][\w.-]*\/[\w][\w.-]*$/;
export const LFS_SUFFIXES = ['bin', 'safetensors', 'pt', 'onnx', 'parquet', 'h5', 'gz', 'zip', 'npy', 'msgpack', 'tar'];

const ENV = {
  ...process.env, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_AUTHOR_NAME: 'Hub', GIT_AUTHOR_EMAIL: 'hub@example.com',
  GIT_COMMITTER_NAME: 'Hub', GIT_COMMITTER_EMAIL: 'hub@example.com',
};

/** Runs git; `input` goes to its stdin; answers its stdout as a Buffer. */
export function git(args, { input, env } = {}) {
  return new Promise((resolve, reject) => {
    const child = execFile('git', args, { env: { ...ENV, ...env }, encoding: 'buffer', maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`git ${args.join(' ')}: ${stderr.toString().trim()}`));
      else resolve(stdout);
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

const line = (buffer) => buffer.toString().trim();

export class Repositories {
  constructor(dir) {
    this.dir = dir;
    this.gitDir = join(dir, 'git');
    this.lfsDir = join(dir, 'lfs');
    mkdirSync(this.gitDir, { recursive: true });
    mkdirSync(this.lfsDir, { recursive: true });
  }

  path(name) {
    if (!NAME.test(name) || name.endsWith('.git')) throw new Error(`not a repository's name: ${name}`);
    return join(this.gitDir, `${name}.git`);
  }

  exists(name) { return NAME.test(name) && existsSync(this.path(name)); }

  async create(name, files = {}) {
    const path = this.path(name);
    if (existsSync(path)) return this.head(name);
    mkdirSync(dirname(path), { recursive: true });
    await git(['init', '--quiet', '--bare', '--initial-branch=main', path]);
    await git(['-C', path, 'config', 'http.receivepack', 'true']);
    await git(['-C', path, 'config', 'receive.advertisePushOptions', 'true']);
    const attributes = LFS_SUFFIXES.map((suffix) => `*.${suffix} filter=lfs diff=lfs merge=lfs -text\n`).join('');
    const all = { '.gitattributes': attributes, 'README.md': `# ${name}\n`, ...files };
    return this.commit(name, 'main', 'initial commit', Object.entries(all).map(([file, content]) => ({ file, content: Buffer.from(content) })));
  }

  remove(name) { rmSync(this.path(name), { recursive: true, force: true }); }

  async head(name, revision = 'main') {
    return line(await git(['-C', this.path(name), 'rev-parse', '--verify', '--quiet', `${revision}^{commit}`]).catch(() => Buffer.from(''))) || null;
  }

  /** Every file of a revision: { path, oid, size }. */
  async list(name, revision) {
    const out = await git(['-C', this.path(name), 'ls-tree', '-r', '-l', '-z', revision]);
    return out.toString().split('\0').filter(Boolean).map((entry) => {
      const [, oid, size, path] = /^\d+ blob (\w+) +(\d+)\t(.*)$/s.exec(entry);
      return { path, oid, size: Number(size) };
    });
  }

  async blob(name, oid) { return git(['-C', this.path(name), 'cat-file', 'blob', oid]); }

  /** One commit on a branch. Changes: { file, content } writes, { file, remove: true } deletes, a folder ends with "/". */
  async commit(name, branch, message, changes) {
    const path = this.path(name);
    const parent = await this.head(name, branch);
    const scratch = mkdtempSync(join(tmpdir(), 'oam-hub-'));
    const env = { GIT_INDEX_FILE: join(scratch, 'index'), GIT_DIR: path };
    try {
      if (parent) await git(['read-tree', parent], { env });
      for (const { file, content, remove } of changes) {
        if (remove) {
          await git(['rm', '--cached', '-r', '--quiet', '--ignore-unmatch', '--', file], { env: { ...env, GIT_WORK_TREE: scratch } });
        } else {
          const oid = line(await git(['hash-object', '-w', '--stdin'], { env, input: content }));
          await git(['update-index', '--add', '--cacheinfo', `100644,${oid},${file}`], { env });
        }
      }
      const tree = line(await git(['write-tree'], { env }));
      const commit = line(await git(['commit-tree', tree, ...(parent ? ['-p', parent] : []), '-m', message], { env }));
      await git(['update-ref', `refs/heads/${branch}`, commit, parent ?? '0'.repeat(40)], { env });
      return commit;
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }
}

export const POINTER = /^version https:\/\/git-lfs\.github\.com\/spec\/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n/;

export const pointer = (oid, size) => Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${size}\n`);

/** git's own server side of smart HTTP, as a child. */
export const httpBackend = (env) => spawn('git', ['http-backend'], { env: { ...ENV, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
