import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BadInput, quote, refuseUnknown } from '../../../base/core/index.js';
import { FILES } from './recorder.js';
import type { RecordOptions } from './types.js';

/** Where a run is recorded; undefined: nowhere. */
export interface RecordPlace {
  dir: string;
  folder: string;
  notes?: string;
}

/** Read the option `record`. */
export function recordPlace(given: string | RecordOptions | false | undefined, name: string): RecordPlace | undefined {
  if (given === false) return undefined;
  const options = typeof given === 'string' ? { dir: given } : (given ?? {});
  refuseUnknown('record', options, ['dir', 'folder', 'notes']);
  const named = process.env.TUNEBOOK_RECORD;
  if (given === undefined && named !== undefined && /^(off|false|no|0|)$/i.test(named)) return undefined;
  const { dir = named || 'runs', folder = newFolder(name), notes } = options;
  for (const [key, value] of Object.entries({ dir, folder }))
    if (typeof value !== 'string' || value === '' || (key === 'folder' && !/^[^/\\\0]+$/.test(value)) || value === '..')
      throw new BadInput({
        problem: 'This names no place for a record',
        where: { key: `record.${key}` },
        expected: key === 'dir' ? 'a path' : 'one name without slashes',
        found: quote(value),
        fix: "write record: 'runs', or record: false for none",
      });
  return { dir, folder, ...(notes !== undefined && { notes: String(notes) }) };
}

/** Local time, the name, and six characters that keep runs of one second apart. */
function newFolder(name: string): string {
  const now = new Date();
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace(/:/g, '-');
  const plain = name.replace(/[^\w.-]+/g, '-').slice(0, 40);
  return `${local}-${plain || 'run'}-${randomBytes(3).toString('hex')}`;
}

/** A new run must not write into the record of another. */
export function refuseTaken({ dir, folder }: RecordPlace): void {
  const file = join(dir, folder, FILES.record);
  if (!existsSync(file)) return;
  throw new BadInput({
    problem: 'Another run is recorded in this folder',
    where: { file, key: 'record.folder' },
    fix: 'choose another name or leave folder out; train.resume(…) goes on with a run and its record',
  });
}
