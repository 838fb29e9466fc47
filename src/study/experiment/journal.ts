import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { syncDirectory, Unavailable } from '../../base/core/index.js';
import type { JournalRecord } from './records.js';

/** What reading a journal found. */
export interface JournalHealth {
  /** Lines that were read. */
  records: number;
  /** Times that a process died while it wrote a line; what it had written of it was cut off. */
  torn: number;
  /** Lines inside the journal that are damaged; they are left out. */
  damaged: number;
}

/** Characters of a line at most. */
const LONGEST = 1 << 24;

const line = (record: JournalRecord): string => {
  const text = JSON.stringify(record);
  return `{"sum":"${sum(text)}","record":${text}}\n`;
};

const sum = (text: string): string => crc32(text).toString(16).padStart(8, '0');

const LINE = /^\{"sum":"([0-9a-f]{8})","record":(.*)\}$/s;

function parse(text: string): JournalRecord | undefined {
  const [, wanted, record] = LINE.exec(text) ?? [];
  if (record === undefined || sum(record) !== wanted) return undefined;
  try {
    return JSON.parse(record) as JournalRecord;
  } catch {
    return undefined;
  }
}

/** How files are opened; tests give one whose disk is full. */
export type Opener = (path: string, flags: string) => Promise<FileHandle>;

/**
 * What happened in a sweep, one line of JSON each with its checksum, appended and on the disk before anything is built on it. It is
 * read whole at the start, in pieces; a line that a dying process left half-written at the end is cut off and counted.
 */
export class Journal {
  readonly path: string;
  readonly #file: FileHandle;
  #size: number;
  #last: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FileHandle, size: number) {
    this.path = path;
    this.#file = file;
    this.#size = size;
  }

  /** Open for writing (under the sweep's lock). @param each gets every record, in order */
  static async open(path: string, each: (record: JournalRecord) => void, opener: Opener = open): Promise<Journal> {
    const file = await opener(path, 'a+').then(async created => {
      // Written at positions, which a file opened for appending ignores.
      await created.close();
      await syncDirectory(dirname(path));
      return opener(path, 'r+');
    });
    try {
      const { end, total } = await scan(path, each);
      const journal = new Journal(path, file, end);
      if (total > end) {
        await file.truncate(end);
        const record: JournalRecord = { type: 'recovered', at: new Date().toISOString(), bytes: total - end };
        await journal.append([record]);
        each(record);
      }
      return journal;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Resolves when the records are on the disk. A failure leaves the journal as it was. */
  append(records: readonly JournalRecord[]): Promise<void> {
    const bytes = Buffer.from(records.map(line).join(''));
    const written = this.#last.then(() => this.#write(bytes));
    this.#last = written.catch(() => undefined);
    return written;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#file.close();
  }

  async #write(bytes: Buffer): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#size + done);
        done += bytesWritten;
      }
      await this.#file.datasync();
      this.#size += bytes.length;
    } catch (cause) {
      await this.#file.truncate(this.#size).catch(() => undefined);
      throw new Unavailable({
        problem: 'the journal of the sweep cannot be written',
        where: { file: this.path },
        found: (cause as Error).message,
        fix: 'make room (or mend the disk) and run the sweep again: what is in the journal is kept, and finished trials are taken over',
        cause,
      });
    }
  }
}

/** Read a journal that may be written meanwhile, or lie on a disk that cannot be written; a half line at its end is left for its writer. */
export async function readJournal(path: string, each: (record: JournalRecord) => void): Promise<JournalHealth> {
  let [records, torn] = [0, 0];
  const { damaged } = await scan(path, record => {
    records++;
    if (record.type === 'recovered') torn++;
    each(record);
  });
  return { records, torn, damaged };
}

/** @returns `end` – bytes up to the end of the last line that can be used; `total` – bytes of the file; `damaged` – bad lines before that end */
async function scan(
  path: string,
  each: (record: JournalRecord) => void,
): Promise<{ end: number; total: number; damaged: number }> {
  let [end, total, damaged, bad] = [0, 0, 0, 0];
  let rest: Buffer[] = [];
  let held = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      const piece = chunk.subarray(from, at);
      from = at + 1;
      const record = held + piece.length > LONGEST ? undefined : parse(Buffer.concat([...rest, piece]).toString('utf8'));
      [rest, held] = [[], 0];
      if (!record) {
        bad++;
        continue;
      }
      each(record);
      // Bad lines are known to lie inside the journal only when a good one follows.
      [damaged, bad] = [damaged + bad, 0];
      end = total + from;
    }
    if (from < chunk.length && held <= LONGEST) {
      rest.push(chunk.subarray(from));
      held += chunk.length - from;
    }
    total += chunk.length;
  }
  return { end, total, damaged };
}
