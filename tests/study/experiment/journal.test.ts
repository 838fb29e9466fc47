import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal, type Opener, readJournal } from '../../../src/study/experiment/journal.js';
import { type JournalRecord, SweepState } from '../../../src/study/experiment/records.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunebook-journal-'));
  path = join(folder, 'journal.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const begin = (id: string): JournalRecord => ({ type: 'begin', at: 'now', id, attempt: 1 });

async function written(...ids: string[]): Promise<void> {
  const journal = await Journal.open(path, () => undefined);
  for (const id of ids) await journal.append([begin(id)]);
  await journal.close();
}

async function read(): Promise<{ ids: string[]; health: Awaited<ReturnType<typeof readJournal>> }> {
  const ids: string[] = [];
  const health = await readJournal(path, record => void (record.type === 'begin' && ids.push(record.id)));
  return { ids, health };
}

/** Opens the journal as a driver does, and adds a record. */
async function goOn(): Promise<SweepState> {
  const state = new SweepState();
  const journal = await Journal.open(path, state.note);
  await journal.append([begin('next')]);
  await journal.close();
  return state;
}

describe('the journal', () => {
  it('is read as it was written, by one line of JSON for each record', async () => {
    await written('a', 'ü\n"b"', 'c');
    expect(await read()).toEqual({ ids: ['a', 'ü\n"b"', 'c'], health: { records: 3, torn: 0, damaged: 0 } });
    for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) expect(JSON.parse(line).record.type).toBe('begin');
  });

  it('cut anywhere in its last line: that line is dropped, counted, and what follows is whole', async () => {
    await written('a', 'b', 'c');
    const whole = readFileSync(path);
    const start = whole.lastIndexOf(10, whole.length - 2) + 1;
    // At its ends, and at places between.
    for (const end of [start, start + 1, start + 9, start + 30, whole.length - 20, whole.length - 2, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, end));
      const state = await goOn();
      expect([...state.trials.keys()]).toEqual(['a', 'b']);
      expect(state.torn).toBe(end === start ? 0 : 1);
      expect((await read()).ids).toEqual(['a', 'b', 'next']);
      expect((await read()).health).toMatchObject({ torn: state.torn, damaged: 0 });
    }
  });

  it('a line at the end that is whole and wrong is dropped too; one in the middle is left out and counted', async () => {
    await written('a', 'b', 'c');
    const lines = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, `${[lines[0], lines[1]!.replace('"b"', '"x"'), lines[2]].join('\n')}\n{"sum":"00000000","record":{}}\n`);
    expect(await read()).toMatchObject({ ids: ['a', 'c'], health: { records: 2, damaged: 1 } });
    expect((await goOn()).torn).toBe(1);
    expect((await read()).ids).toEqual(['a', 'c', 'next']);
  });

  it('reading does not touch the half line that a writer is at', async () => {
    await written('a');
    appendFileSync(path, '{"sum":"12');
    const before = readFileSync(path);
    expect((await read()).ids).toEqual(['a']);
    expect(readFileSync(path)).toEqual(before);
  });

  it('a line without end is not held in memory, nor taken for a record', async () => {
    await written('a');
    for (let i = 0; i < 20; i++) appendFileSync(path, Buffer.alloc(1 << 20, 97));
    expect((await read()).ids).toEqual(['a']);
    expect((await goOn()).torn).toBe(1);
    expect((await read()).ids).toEqual(['a', 'next']);
  });

  it('appended to from many places at once, it has every record whole', async () => {
    const journal = await Journal.open(path, () => undefined);
    const ids = Array.from({ length: 100 }, (_, i) => `${i}`);
    await Promise.all(ids.map(id => journal.append([begin(id), begin(`${id}b`)])));
    await journal.close();
    expect(await read()).toMatchObject({ ids: ids.flatMap(id => [id, `${id}b`]), health: { damaged: 0 } });
  });

  it('a full disk: the error says so, nothing half stays, and it goes on when there is room', async () => {
    let room = 300;
    // A file on a disk that takes some bytes more, and first the half of what it is given.
    const opener: Opener = async (name, flags) => {
      const file = await open(name, flags);
      return new Proxy(file, {
        get(target, key) {
          if (key === 'write')
            return async (bytes: Buffer, from: number, count: number, at: number) => {
              const now = Math.min(count, room, Math.ceil(count / 2));
              if (now === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
              room -= now;
              return target.write(bytes, from, now, at);
            };
          const value = target[key as keyof FileHandle] as unknown;
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    };
    const journal = await Journal.open(path, () => undefined, opener);
    await journal.append([begin('a')]);
    await expect(journal.append(Array.from({ length: 10 }, () => begin('b')))).rejects.toThrow(
      /journal of the sweep cannot be written.*ENOSPC.*make room/,
    );
    expect(await read()).toEqual({ ids: ['a'], health: { records: 1, torn: 0, damaged: 0 } });
    room = 1000;
    await journal.append([begin('c')]);
    await journal.close();
    expect(await read()).toEqual({ ids: ['a', 'c'], health: { records: 2, torn: 0, damaged: 0 } });
  });
});

describe('the state of a sweep', () => {
  const end = (status: string, attempt = 1, code = 'x'): JournalRecord =>
    ({ type: 'end', id: 'a', attempt, at: 'now', status, config: {}, seed: 1, code }) as JournalRecord;
  const stateOf = (...records: JournalRecord[]) => {
    const state = new SweepState();
    records.forEach(state.note);
    return state.trials.get('a')!;
  };

  it('knows what is open, and keeps a result when a later attempt is cut off', () => {
    expect(stateOf(begin('a'))).toEqual({ attempts: 1, lost: 0, open: { attempt: 1 } });
    expect(stateOf(begin('a'), end('done')).open).toBeUndefined();
    expect(stateOf(end('failed'), end('lost', 2))).toMatchObject({ attempts: 2, lost: 1, last: { status: 'failed' } });
    expect(stateOf(end('done'), end('lost', 2, 'y')).last).toMatchObject({ status: 'lost', code: 'y' });
    // The end of an earlier attempt does not close a later one.
    expect(stateOf({ ...begin('a'), attempt: 2 } as JournalRecord, end('lost', 1)).open).toEqual({ attempt: 2 });
  });

  it('knows tasks of batches, and those of one that the cluster did not take', () => {
    const batch: JournalRecord = {
      type: 'batch',
      at: 'now',
      batch: 'q',
      trials: [
        ['b', 1],
        ['a', 3],
      ],
    };
    expect(stateOf(batch)).toMatchObject({ attempts: 3, open: { attempt: 3, batch: 'q', index: 1 } });
    expect(stateOf(batch, { type: 'withdrawn', at: 'now', batch: 'q' }).open).toBeUndefined();
  });
});
