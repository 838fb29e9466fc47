import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { BadInput } from '../../../base/core/index.js';
import { birthOf, lives } from '../record/facts.js';

/** Says which process writes checkpoints into a folder. */
const FILE = '.running';

interface Holder {
  host: string;
  pid: number;
  birth?: string;
  name: string;
  since: string;
}

/**
 * Say that a run of this process writes its checkpoints into `dir`, until what is returned is called. Two runs in one folder would take each
 * other's checkpoints for their own. What another machine says is not believed: whether its process lives cannot be asked from here. Where
 * nothing can be written nothing is said: saving will tell.
 * @throws BadInput where a process that lives has said so
 */
export function hold(dir: string, name: string): () => void {
  const file = join(dir, FILE);
  const other = holderOf(file);
  if (other && other.pid !== process.pid && lives(other))
    throw new BadInput({
      problem: 'Another process writes the checkpoints of a run into this folder',
      where: { file: dir, key: 'checkpoint.dir' },
      found: `process ${other.pid}, the run "${other.name}", since ${other.since}`,
      fix: 'end it, or wait for its end; a run beside it needs a folder of its own',
    });
  const birth = birthOf(process.pid);
  const own: Holder = { host: hostname(), pid: process.pid, ...(birth && { birth }), name, since: new Date().toISOString() };
  try {
    mkdirSync(dir, { recursive: true });
    writeFileSync(file, JSON.stringify(own));
  } catch {
    // A full or read-only disk.
  }
  return () => {
    const now = holderOf(file);
    if (now?.pid !== own.pid || now.since !== own.since) return;
    try {
      rmSync(file, { force: true });
    } catch {
      // This process will be seen to have ended.
    }
  };
}

function holderOf(file: string): Holder | undefined {
  try {
    const found = JSON.parse(readFileSync(file, 'utf8')) as Partial<Holder> | null;
    return Number.isSafeInteger(found?.pid) && typeof found?.host === 'string' ? (found as Holder) : undefined;
  } catch {
    return undefined;
  }
}
