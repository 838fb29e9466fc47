import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/core/index.js';
import type * as Experiment from '../../../src/study/experiment/index.js';
import { built, driver, ended, Lab, runs, until } from './lab.js';

let experiment: typeof Experiment;
let lab: Lab;
beforeAll(async () => {
  experiment = await built();
});
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab.remove());

/** Each trial writes a line when it begins and one when it ends; it waits for the file `go` where one is asked for. */
const TRIAL = `
  import { appendFileSync, existsSync } from 'node:fs';
  import { setTimeout as sleep } from 'node:timers/promises';
  export default async ({ x, wait }, { seed }) => {
    const note = word => appendFileSync('notes', word + ' ' + x + ' ' + process.pid + '\\n');
    note('begun');
    while (wait && !existsSync('go')) await sleep(20);
    await sleep(30);
    note('ended');
    return { y: x * 10 + seed };
  };`;

const options = (grid: object) => ({ trial: 'trial.mjs', folder: 'out', concurrency: 2, grace: 1, grid });
const source = (grid: object) => JSON.stringify(options(grid));
const notes = (word: string) =>
  existsSync(lab.path('notes'))
    ? readFileSync(lab.path('notes'), 'utf8')
        .split('\n')
        .filter(line => line.startsWith(word))
        .map(line => line.split(' ').slice(1).map(Number) as [x: number, pid: number])
    : [];
const results = async () => {
  const { records, status } = await experiment.readSweep(lab.path('out'));
  return {
    status,
    values: records
      .filter(record => record.status === 'done')
      .map(({ metrics }) => metrics!.y)
      .sort(),
  };
};

describe('a sweep that is killed', () => {
  it('goes on: what runs is taken over, what is done is not done again, and the journal is whole', async () => {
    lab.write('trial.mjs', TRIAL);
    const all = { x: [1, 2, 3, 4, 5], wait: true };
    const first = driver(lab, source(all));
    await until(() => notes('begun').length === 2);
    first.kill('SIGKILL');
    await ended(first);
    // Orphans, which know nothing of it.
    const orphans = notes('begun').map(([, pid]) => pid);
    expect(orphans.every(runs)).toBe(true);
    // The driver died in the middle of a line.
    appendFileSync(lab.path('out', 'journal.jsonl'), '{"sum":"0123');
    const second = driver(lab, source(all));
    const seen = until(() => experiment.readSweep(lab.path('out')).then(({ status }) => status.torn === 1));
    await seen;
    // A second driver beside it is sent away.
    const third = await ended(driver(lab, source(all)));
    expect(third.err).toMatch(/another process drives this sweep/);
    expect(third.code).not.toBe(0);
    lab.write('go', '');
    expect((await ended(second)).code).toBe(0);
    expect((await results()).values).toEqual([11, 21, 31, 41, 51]);
    expect((await results()).status).toMatchObject({ total: 5, done: 5, torn: 1 });
    expect(
      notes('begun')
        .map(([x]) => x)
        .sort(),
    ).toEqual([1, 2, 3, 4, 5]);
    // What began before the kill is what ended: nobody made it again.
    expect(notes('ended').map(([, pid]) => pid)).toEqual(expect.arrayContaining(orphans));
  });

  it('orphans that ended, well or badly, while nobody looked are found', async () => {
    lab.write('trial.mjs', TRIAL);
    const all = { x: [1, 2, 3], wait: true };
    const first = driver(lab, source(all));
    await until(() => notes('begun').length === 2);
    first.kill('SIGKILL');
    await ended(first);
    process.kill(notes('begun').find(([x]) => x === 1)![1], 'SIGKILL');
    lab.write('go', '');
    await until(() => notes('begun').every(([, pid]) => !runs(pid)));
    expect((await ended(driver(lab, source(all)))).code).toBe(0);
    expect((await results()).values).toEqual([11, 21, 31]);
    // The one that was killed was lost with its driver, not a failure of the trial's: it was made again.
    expect(
      notes('begun')
        .map(([x]) => x)
        .sort(),
    ).toEqual([1, 1, 2, 3]);
    expect(
      notes('ended')
        .map(([x]) => x)
        .sort(),
    ).toEqual([1, 2, 3]);
  });

  it('driver and trials killed at random moments: in the end every result is there, once', async () => {
    lab.write('trial.mjs', TRIAL);
    const all = { x: Array.from({ length: 8 }, (_, i) => i + 1), wait: false };
    const random = new Random(7);
    for (let kill = 0; kill < 4; kill++) {
      const child = driver(lab, source(all));
      const end = ended(child);
      await Promise.race([sleep(200 + random.next() * 600), end]);
      const running = notes('begun').filter(([, pid]) => runs(pid));
      try {
        if (kill % 2 && running.length > 0) process.kill(running[0]![1], 'SIGKILL');
      } catch {
        // It has ended in this very moment.
      }
      child.kill('SIGKILL');
      await end;
    }
    const last = await ended(driver(lab, source(all).replace('"grace"', '"retryFailed":true,"retry":1,"grace"')));
    expect(last.code).toBe(0);
    const { values, status } = await results();
    expect(values).toEqual(all.x.map(x => x * 10 + 1).sort());
    expect(status).toMatchObject({ total: 8, done: 8, failed: 0, running: 0 });
    // The journal has each result once.
    const done = [...lab.read('out', 'journal.jsonl').matchAll(/"id":"(\w+)"[^\n]*"status":"done"/g)].map(match => match[1]);
    expect(done).toHaveLength(8);
    expect(new Set(done).size).toBe(8);
  });

  it('Ctrl-C: its trials are ended and the next driver makes them again', async () => {
    lab.write('trial.mjs', TRIAL);
    const all = { x: [1, 2], wait: true };
    const first = driver(lab, source(all));
    await until(() => notes('begun').length === 2);
    first.kill('SIGINT');
    const { signal, err } = await ended(first);
    expect(signal).toBe('SIGINT');
    expect(err).toContain('SIGINT: "trial" comes to rest');
    expect(notes('begun').some(([, pid]) => runs(pid))).toBe(false);
    expect((await results()).status).toMatchObject({ done: 0, failed: 0, running: 0 });
    lab.write('go', '');
    expect((await ended(driver(lab, source(all)))).code).toBe(0);
    expect((await results()).values).toEqual([11, 21]);
  });

  it('cancel ends what a dead driver left, also what is no longer in the grid', async () => {
    lab.write('trial.mjs', TRIAL);
    const first = driver(lab, source({ x: [1, 2], wait: true }));
    await until(() => notes('begun').length === 2);
    first.kill('SIGKILL');
    await ended(first);
    await ended(driver(lab, source({ x: [1], wait: true }), 'await made.cancel();'));
    expect(notes('begun').some(([, pid]) => runs(pid))).toBe(false);
    expect((await results()).status).toMatchObject({ total: 2, done: 0, running: 0, waiting: 2 });
    const attempts = readdirSync(join(lab.path('out'), 'trials'));
    expect(attempts).toHaveLength(2);
  });
});
