import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { TunebookError, whyNotWritten } from '../../../base/core/index.js';

/**
 * The error of a checkpoint that could not be written. It is not a reason to lose what was trained: weights and optimizer are in memory,
 * and checkpoints written before are as they were.
 */
export async function saveFailed(dir: string, step: number, last: number | undefined, cause: unknown): Promise<TunebookError> {
  const { code = '' } = cause as NodeJS.ErrnoException;
  const free = await freeBytes(dir);
  const space = free !== undefined && ['ENOSPC', 'EDQUOT'].includes(code) ? ` (${(free / 1e6).toFixed(1)} MB free)` : '';
  return new TunebookError({
    problem:
      `The checkpoint of step ${step} could not be written: ${whyNotWritten(cause)}${space}. What was written of it is removed; ` +
      (last === undefined ? 'there is no earlier one' : `that of step ${last} is untouched`),
    where: { file: dir },
    fix:
      'the run is in memory as it was after that step: make room and call await run.save(), or save elsewhere: ' +
      "await run.save('/another/disk/run'); run.resume() goes on",
    cause,
  });
}

/** Free bytes where a folder is, or would be. */
async function freeBytes(dir: string): Promise<number | undefined> {
  for (let at = resolve(dir); ; at = dirname(at)) {
    try {
      const { bavail, bsize } = await statfs(at);
      return bavail * bsize;
    } catch {
      if (at === dirname(at)) return undefined;
    }
  }
}
