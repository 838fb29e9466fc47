// Compiles src to dist with the project's own TypeScript (node_modules/.bin/tsc belongs to tslab's fork), copies the files of src
// that are not TypeScript (fonts, tables), and removes what no longer has a source. With --if-stale: only when src has changed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { inRoot, ROOT } from './paths.mjs';

const SRC = inRoot('src');
const DIST = inRoot('dist');
const STAMP = join(DIST, '.built');

const files = folder =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true, recursive: true })
        .filter(entry => entry.isFile())
        .map(entry => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
        .sort()
    : [];

/** Hash of everything the build reads. */
export function sourceHash() {
  const hash = createHash('sha256');
  for (const file of ['tsconfig.json', ...files(SRC).map(name => join('src', name))]) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(inRoot(file)))
      .update('\0');
  }
  return hash.digest('hex');
}

/** True when dist was built from the sources as they are now. */
export function isBuilt(hash = sourceHash()) {
  return existsSync(join(DIST, 'cli', 'main.js')) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === hash;
}

/** Build; returns the compiler's exit code and output. The stamp is written last, and only for a build without errors. */
export async function build() {
  const hash = sourceHash();
  // tsc's incremental record is trusted only after a build that came to its end.
  const interrupted = !existsSync(STAMP);
  rmSync(STAMP, { force: true });
  const outputs = new Set(['.tsbuildinfo', '.built']);
  for (const name of files(SRC)) {
    const stem = name.replace(/\.ts$/, '');
    if (stem === name) {
      mkdirSync(dirname(join(DIST, name)), { recursive: true });
      copyFileSync(join(SRC, name), join(DIST, name));
      outputs.add(name);
    } else for (const end of ['.js', '.d.ts', '.js.map']) outputs.add(stem + end);
  }
  let pruned = false;
  for (const name of files(DIST)) {
    if (outputs.has(name)) continue;
    rmSync(join(DIST, name));
    pruned = true;
  }
  // tsc's incremental record does not notice an output that somebody deleted.
  const missing = [...outputs].some(name => /\.js$/.test(name) && !existsSync(join(DIST, name)));
  if (interrupted || missing || pruned) rmSync(join(DIST, '.tsbuildinfo'), { force: true });
  const args = ['node_modules/typescript/bin/tsc', '-p', '.', '--pretty', 'false'];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', text => {
    output += text;
  });
  const status = await new Promise(done => child.on('close', code => done(code ?? 1)));
  if (status === 0) writeFileSync(STAMP, hash);
  return { status, output };
}

if (process.argv[1] === import.meta.filename && !(process.argv.includes('--if-stale') && isBuilt())) {
  const { status, output } = await build();
  process.stdout.write(output);
  process.exitCode = status;
}
