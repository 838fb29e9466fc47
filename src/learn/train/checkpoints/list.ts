import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { warn } from './warn.js';

/** Name of the folder of a checkpoint. */
export function nameOf(step: number): string {
  return `step-${String(step).padStart(6, '0')}`;
}

/** Checkpoints in a folder, oldest first: [name, step]. */
export async function listCheckpoints(dir: string): Promise<{ name: string; step: number }[]> {
  const names = await readdir(dir).catch(() => [] as string[]);
  return names
    .filter(name => /^step-\d+$/.test(name))
    .map(name => ({ name, step: Number(name.slice('step-'.length)) }))
    .sort((a, b) => a.step - b.step);
}

/**
 * After a checkpoint was written: delete all but the last `keep` up to it. Later ones are of a run that went on from here and that was
 * given up (its newest checkpoint was damaged, or somebody went back); they are set aside as `aside-…`, so that they are neither taken for
 * the newest nor lost.
 */
export async function tidy(dir: string, step: number, keep: number): Promise<void> {
  const all = await listCheckpoints(dir);
  try {
    for (const old of all.filter(each => each.step <= step).slice(0, -keep)) await rm(join(dir, old.name), { recursive: true });
    for (const later of all.filter(each => each.step > step)) {
      const aside = join(dir, later.name.replace('step', 'aside'));
      await rm(aside, { recursive: true, force: true });
      await rename(join(dir, later.name), aside);
      warn(`${later.name} in ${dir} is later than the checkpoint this run went on from; it is now ${aside}`);
    }
  } catch (error) {
    // What was to be saved is saved.
    warn(`An old checkpoint in ${dir} could not be removed: ${(error as Error).message}`);
  }
}
