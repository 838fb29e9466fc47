import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { root } from './peer.mjs';

/** The build to measure: `--dist`, or this clone's own, compiled again when its sources have changed. Absolute. */
export function builtDist(given) {
  if (given) return resolve(given);
  const built = spawnSync(process.execPath, [join(root, 'setup', 'build.mjs'), '--if-stale'], { stdio: 'inherit' });
  if (built.status !== 0) throw new Error('the build failed');
  return join(root, 'dist');
}
