import { readFile } from 'node:fs/promises';
import { BadInput } from '../../base/core/index.js';

/** The lines of a file that a part of this room wrote; `what` names them in the error where there is none. */
export async function readLines(path: string, what: string): Promise<string[]> {
  try {
    return (await readFile(path, 'utf8')).split('\n');
  } catch (cause) {
    throw new BadInput({
      problem: `${what} cannot be read`,
      where: { file: path },
      found: (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : (cause as Error).message,
      cause,
    });
  }
}
