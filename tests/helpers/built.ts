import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const root: string = fileURLToPath(new URL('../..', import.meta.url));
const stamp = join(root, 'dist', '.built');
const lock = join(root, 'dist', '.building');

/** Build dist when a source is newer. Tests run in several processes: one builds, the others wait for it. */
export async function ensureBuilt(): Promise<void> {
  mkdirSync(join(root, 'dist'), { recursive: true });
  for (let waited = 0; !isFresh(); waited += 200) {
    try {
      mkdirSync(lock);
    } catch {
      // A builder that was killed leaves its lock behind.
      if (waited > 120_000) rmSync(lock, { recursive: true, force: true });
      await sleep(200);
      continue;
    }
    try {
      if (!isFresh()) build();
    } finally {
      rmSync(lock, { recursive: true, force: true });
    }
  }
}

function build(): void {
  const began = new Date();
  const { status, stdout } = spawnSync(process.execPath, ['setup/build.mjs'], { cwd: root, encoding: 'utf8' });
  // With type errors tsc still writes every file; that they are errors is the type-check's to say.
  if (status !== 0) process.stderr.write(`Build reported:\n${stdout}\n`);
  if (!existsSync(join(root, 'dist', 'index.js'))) throw new Error(`The build wrote no dist/index.js:\n${stdout}`);
  // A build without errors wrote its own stamp (a hash, by which the set-up knows it); ours spares the next test a useless build.
  if (status !== 0) writeFileSync(stamp, `${began.getTime()}\n`);
}

function isFresh(): boolean {
  return existsSync(stamp) && statSync(stamp).mtimeMs >= newest(join(root, 'src'));
}

function newest(folder: string): number {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    latest = Math.max(latest, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return latest;
}
