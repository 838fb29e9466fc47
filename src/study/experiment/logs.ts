import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FILES, tailOf } from './attempt.js';

/** Bytes a log may have, and bytes of its end that are kept of a larger one. */
const LARGEST = 16 << 20;
const KEPT = 64 << 10;

/** Cut the logs of a trial that prints without end, so that they cannot fill the disk. It goes on appending to them. */
export async function keepLogsShort(folder: string, largest: number = LARGEST): Promise<void> {
  for (const name of [FILES.stdout, FILES.stderr]) {
    const path = join(folder, name);
    const { size } = await stat(path).catch(() => ({ size: 0 }));
    if (size <= largest) continue;
    const tail = await tailOf(path, KEPT);
    const file = await open(path, 'a');
    try {
      await file.truncate(0);
      await file.write(`[${size - tail.length} bytes were cut here]\n${tail}`);
    } finally {
      await file.close();
    }
  }
}
