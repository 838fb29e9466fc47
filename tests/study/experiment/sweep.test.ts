import { existsSync, readFileSync } from 'node:fs';
import { parquetReadObjects } from 'hyparquet';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { viewOf } from '../../../src/base/core/index.js';
import type * as Experiment from '../../../src/study/experiment/index.js';
import { built, Lab, pids, runs, until } from './lab.js';

let experiment: typeof Experiment;
let lab: Lab;
beforeAll(async () => {
  experiment = await built();
});
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab.remove());

const sweep = (options: Partial<Experiment.SweepOptions>) =>
  experiment.sweep({ trial: lab.path('trial.ts'), folder: lab.path('out'), grace: 1, ...options });

describe('a sweep', () => {
  it('runs every configuration with every seed once, and keeps what came of it', async () => {
    lab.write('helper.ts', 'export enum Kind { Wide = "wide" }\nexport const square = (x: number): number => x * x;\n');
    const trial = lab.write(
      'trial.ts',
      `import { appendFileSync } from 'node:fs';
       import { Kind, square } from './helper.js';
       interface Settings { x: number; method: string; lerningRate: number; none?: number }
       export default async (config: Settings, { seed, report, progress, folder }: any) => {
         appendFileSync(${JSON.stringify(lab.path('runs'))}, 'run\\n');
         console.log('{"status":"done","metrics":{"y":-1}}\\u0000\\u001b[2J');
         process.stdout.write(Buffer.from([0xff, 0xfe, 0x00]));
         progress(1, 2); report({ loss: 1 }); report({ loss: NaN });
         if (config.x === 3 && seed === 2) { console.error('before the end'); throw new RangeError('three is too much'); }
         return { y: square(config.x) + seed, sub: { z: config.x === 2 ? Infinity : 1 }, kind: Kind.Wide, method: config.method, ok: true, none: config.none };
       };`,
    );
    const options = { trial, grid: { x: [1, 2, 3], method: ['a'], lerningRate: 1 }, seeds: [2, 5] };
    const planned = sweep(options);
    expect(planned.trials.map(({ config, seed }) => `${config.x}/${seed}`)).toEqual(['1/2', '2/2', '3/2', '1/5', '2/5', '3/5']);
    expect(existsSync(lab.path('out'))).toBe(false);
    await planned.finish();
    const counts = { total: 6, done: 5, failed: 1, running: 0, waiting: 0, nonFinite: 2, outside: 0, torn: 0, damaged: 0 };
    // A setting that no trial looked at is said.
    expect(await planned.status()).toEqual({ ...counts, unread: ['lerningRate'] });
    const results = await planned.results();
    const failed = results.records.find(({ status }) => status === 'failed')!;
    expect(failed).toMatchObject({
      config: { x: 3 },
      seed: 2,
      attempt: 1,
      error: { name: 'RangeError', message: 'three is too much' },
    });
    // The stack names the line of the source, not of what it was compiled to.
    expect(failed.error!.stack).toContain(`${trial}:9:`);
    expect(failed.error!.stderr).toContain('before the end');

    const table = await planned.table();
    const metrics = ['y', 'sub.z', 'kind', 'metric.method', 'ok', 'none'];
    const names = table.columnNames();
    expect(names.slice(0, 5)).toEqual(['trial', 'seed', 'x', 'method', 'lerningRate']);
    expect(names.slice(5, -4).sort()).toEqual(metrics.sort());
    expect(names.slice(-4)).toEqual(['status', 'error', 'seconds', 'attempt']);
    const rows = table.objects() as Record<string, unknown>[];
    expect(rows[0]).toMatchObject({
      seed: 2,
      x: 1,
      y: 3,
      'sub.z': 1,
      kind: 'wide',
      'metric.method': 'a',
      ok: true,
      none: null,
      status: 'done',
      error: null,
    });
    expect(rows[1]).toMatchObject({ x: 2, 'sub.z': Number.POSITIVE_INFINITY });
    expect(rows[2]).toMatchObject({ status: 'failed', error: 'three is too much' });
    expect(viewOf(results)).toMatchObject({ kind: 'table' });
    expect(viewOf(planned)).toEqual(viewOf(results));

    const summary = await planned.summary({ metric: 'y' });
    expect(summary[0]).toMatchObject({ config: { x: 1 }, n: 2, mean: 4.5, missing: 0 });
    expect(summary[2]).toMatchObject({ config: { x: 3 }, n: 1, mean: 14, missing: 1 });
    await planned.csv(lab.path('all.csv'));
    expect(lab.read('all.csv').split('\n')[2]).toMatch(/^[0-9a-f]{16},2,2,a,1,6,.*Infinity.*,done,,[\d.]+,1$/);
    await planned.parquet(lab.path('all.parquet'));
    const bytes = readFileSync(lab.path('all.parquet'));
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    const stored = await parquetReadObjects({ file });
    expect(stored.map(row => [row.x, row.y ?? null, row.ok ?? null, row.kind ?? null])).toEqual(
      rows.map(row => [row.x, row.y ?? null, row.ok ?? null, row.kind ?? null]),
    );
    const reports = [];
    for await (const report of results.reports()) reports.push(report);
    expect(reports).toHaveLength(12);
    expect(reports[1]).toMatchObject({ seed: 2, x: 1, report: 2, loss: Number.NaN });

    // Again: nothing is done twice, not even what failed; with more seeds only these are new, with fewer settings old results stay.
    await sweep(options).finish();
    expect(lab.read('runs')).toBe('run\n'.repeat(6));
    const more = await sweep({ ...options, grid: { lerningRate: 1, method: 'a', x: [1] }, seeds: [2, 5, 6] }).finish();
    expect(lab.read('runs')).toBe('run\n'.repeat(7));
    expect(await more.status()).toMatchObject({ total: 3, done: 3, outside: 3 });
    await sweep({ ...options, retryFailed: true }).finish();
    expect(lab.read('runs')).toBe('run\n'.repeat(8));
    expect((await experiment.readSweep(lab.path('out'))).status).toMatchObject({ total: 7, done: 6, failed: 1 });
  });

  it('writes down how trials end that do not end well, and makes them again when asked', async () => {
    const trial = lab.write(
      'trial.mjs',
      `import { existsSync, writeFileSync } from 'node:fs';
       import { join } from 'node:path';
       export default async (config, { folder }) => {
         const { how } = config;
         // Its settings are its own.
         config.how = 'changed';
         delete config.how;
         const again = existsSync(join(folder, 'been'));
         writeFileSync(join(folder, 'been'), '');
         if (how === 'exit') { console.error('leaving'); process.exit(3); }
         if (how === 'quiet') process.exit(0);
         if (how === 'killed') process.kill(process.pid, 'SIGKILL');
         if (how === 'list') return [1];
         if (how === 'nothing') return;
         if (how === 'function') return { f: () => 1 };
         if (how === 'never') await new Promise(() => {});
         if (how === 'rejected') { Promise.reject(new Error('nobody waits')); await new Promise(() => setTimeout(() => {}, 1e6)); }
         if (how === 'lingers') { setInterval(() => {}, 1000); return { a: 1 }; }
         if (how === 'twice' && !again) throw 'words';
         if (how === 'object') throw { code: 7 };
         if (how === 'caused') throw new Error('fetch failed', { cause: new Error('connection refused') });
         if (how === 'circle') { const o = { a: 1 }; o.o = o; return o; }
         if (how === 'doubled') return { 'a.b': 1, a: { b: 2 } };
         return { a: again ? 2 : 1 };
       };`,
    );
    const hows = ['exit', 'quiet', 'killed', 'list', 'nothing', 'function', 'never', 'rejected', 'lingers', 'twice'];
    hows.push('object', 'caused', 'circle', 'doubled');
    const made = await sweep({ trial, grid: { how: hows }, concurrency: 3 }).finish();
    const { records } = await made.results();
    const of = (how: string) => records.find(({ config }) => config.how === how)!;
    expect(of('exit').error).toMatchObject({ exitCode: 3, stderr: 'leaving\n', message: expect.stringContaining('exit code 3') });
    expect(of('quiet').error).toMatchObject({ exitCode: 0 });
    expect(of('killed').error).toMatchObject({ signal: 'SIGKILL', message: expect.stringContaining('out of memory') });
    expect(of('list').error!.message).toContain('found a list');
    expect(of('nothing').error!.message).toContain('found undefined');
    expect(of('function').error!.message).toMatch(/"f".*found a function/);
    expect(of('never').error!.message).toContain('waits for what never comes');
    expect(of('rejected').error!.message).toBe('nobody waits');
    expect(of('lingers')).toMatchObject({ status: 'done', metrics: { a: 1 } });
    expect(of('twice').error!.message).toBe('words');
    expect(of('object').error!.message).toBe('{ code: 7 }');
    expect(of('caused').error!.stack).toContain('connection refused');
    expect(of('circle').error!.message).toContain('contains itself');
    expect(of('doubled').error!.message).toContain('two metrics that are called "a.b"');
    const again = await sweep({ trial, grid: { how: ['twice', 'quiet'] }, retryFailed: true, retry: 1 }).finish();
    expect((await again.results()).records.map(({ status, attempt, metrics }) => ({ status, attempt, metrics }))).toEqual([
      { status: 'done', attempt: 2, metrics: { a: 2 } },
      { status: 'failed', attempt: 3, metrics: undefined },
    ]);
  });

  it('ends a trial that hangs, with everything it started', async () => {
    const trial = lab.write(
      'trial.mjs',
      `import { spawn } from 'node:child_process';
       import { writeFileSync } from 'node:fs';
       export default ({ how }) => {
         const own = detached => spawn('sleep', ['1000'], { detached, stdio: 'ignore' });
         for (const detached of [false, true])
           writeFileSync(${JSON.stringify(lab.folder)} + '/' + how + detached + '.pid', String(own(detached).pid));
         writeFileSync(${JSON.stringify(lab.folder)} + '/' + how + '.pid', String(process.pid));
         if (how === 'deaf') process.on('SIGTERM', () => {});
         if (how === 'busy') for (;;);
         return new Promise(() => setInterval(() => {}, 1000));
       };`,
    );
    const options = { trial, grid: { how: ['deaf', 'busy', 'idle'] }, grace: 0.5, concurrency: 3 };
    // On a busy machine the time may be over before all of them have begun: then they have more of it.
    for (let timeout = 4; pids(lab.folder).length < 9; timeout *= 2) {
      const made = await sweep({ ...options, timeout, folder: lab.path(`out${timeout}`) }).finish();
      expect((await made.results()).records.map(({ status, error }) => [status, error!.message])).toEqual(
        Array(3).fill(['timeout', `it took longer than ${timeout} s`]),
      );
      await until(() => !pids(lab.folder).some(runs));
    }
  });

  it("inside a job of Slurm's (an interactive one) a trial is a process like any other: lost when it is killed with its driver", async () => {
    const trial = lab.write(
      'trial.mjs',
      `import { readFileSync } from 'node:fs';
       export default (_, { folder }) => ({ job: JSON.parse(readFileSync(folder + '/../1/claim.json', 'utf8')).job ?? null });`,
    );
    const made = await sweep({ trial, env: { SLURM_JOB_ID: '7', SLURM_RESTART_COUNT: '1' } }).finish();
    expect((await made.results()).records[0]!.metrics).toEqual({ job: null });
  });

  it('gives trials their threads and variables, a signal and a time to end', async () => {
    const trial = lab.write(
      'trial.mjs',
      `import { writeFileSync } from 'node:fs';
       export default (_, { signal }) => new Promise((done, fail) => {
         setInterval(() => {}, 1000);
         signal.addEventListener('abort', () => { writeFileSync(${JSON.stringify(lab.path('aborted'))}, ''); fail(signal.reason); });
         writeFileSync(${JSON.stringify(lab.path('begun'))}, process.env.OMP_NUM_THREADS + process.env.MINE);
       });`,
    );
    const aborter = new AbortController();
    const made = sweep({ trial, threads: 2, env: { MINE: 'too' }, signal: aborter.signal, grace: 60 });
    const finished = made.finish();
    await until(() => existsSync(lab.path('begun')) && lab.read('begun'));
    await expect(made.finish()).rejects.toThrow(/has a driver already/);
    aborter.abort();
    await finished;
    expect(lab.read('begun')).toBe('2too');
    expect(existsSync(lab.path('aborted'))).toBe(true);
    expect(await made.status()).toMatchObject({ done: 0, failed: 0, running: 0, waiting: 1 });
  });

  it('is left by break: what runs is ended and written down, and goes on later', async () => {
    const trial = lab.write(
      'trial.mjs',
      `import { existsSync } from 'node:fs';
       import { setTimeout as sleep } from 'node:timers/promises';
       export default async ({ x }) => {
         while (x > 1 && !existsSync(${JSON.stringify(lab.path('go'))})) await sleep(20);
         return { x };
       };`,
    );
    const made = sweep({ trial, grid: { x: [1, 2, 3] }, concurrency: 3 });
    for await (const { metrics } of made) {
      expect(metrics).toEqual({ x: 1 });
      break;
    }
    expect(await made.status()).toMatchObject({ done: 1, running: 0, waiting: 2 });
    lab.write('go', '');
    await made.finish();
    expect(await made.status()).toMatchObject({ done: 3, waiting: 0 });
  });

  it('a trial that cannot be loaded is an error of the sweep, and no result', async () => {
    const statuses = () =>
      [...lab.read('out', 'journal.jsonl').matchAll(/"type":"end".*?"status":"(\w+)"/g)].map(match => match[1]);
    lab.write('trial.ts', 'const a: number = ;\n');
    await expect(sweep({}).finish()).rejects.toThrow(/trial\.ts:1: it does not compile.*Expression expected/);
    expect(existsSync(lab.path('out'))).toBe(false);
    lab.write('trial.ts', 'export const a = 1;\n');
    await expect(sweep({ seeds: 4 }).finish()).rejects.toThrow(/exports no function/);
    lab.write('trial.ts', "import './not-there.js';\nexport default () => ({});\n");
    await expect(sweep({}).finish()).rejects.toThrow(/trial\.ts:1: no file is found for the import of "\.\/not-there\.js"/);
    lab.write('trial.ts', "\nimport 'no-such-package';\nexport default () => ({});\n");
    await expect(sweep({}).finish()).rejects.toThrow(/no-such-package/);
    lab.write('trial.ts', 'export const defaults = { learningRate: 1, steps: 2 };\nexport default (c: object) => ({ ...c });\n');
    await expect(sweep({ grid: { lerningRate: [1, 2] } }).finish()).rejects.toThrow(
      /"lerningRate".*did you mean "learningRate"\?/s,
    );
    // What was begun is written down as cut off.
    expect(statuses()).toContain('interrupted');
    expect(new Set(statuses()).size).toBe(1);
    const made = await sweep({ grid: { learningRate: 3 } }).finish();
    expect((await made.results()).records[0]!.metrics).toEqual({ learningRate: 3, steps: 2 });
  });

  it('says that the code of the trial has changed, and does what is chosen', async () => {
    lab.write('part.mjs', 'export const y = 1;\n');
    const trial = lab.write('trial.mjs', "import { y } from './part.mjs';\nexport default () => ({ y });\n");
    await sweep({ trial }).finish();
    lab.write('part.mjs', 'export const y = 2;\n');
    await expect(sweep({ trial, seeds: 2 }).finish()).rejects.toThrow(/code has changed since 1 of the 2 results/);
    const values = async (made: Experiment.Sweep) => (await made.results()).records.map(({ metrics }) => metrics!.y);
    expect(await values(await sweep({ trial, seeds: 2, changed: 'keep' }).finish())).toEqual([1, 2]);
    expect(await values(await sweep({ trial, seeds: 2, changed: 'new' }).finish())).toEqual([2, 2]);
    expect(await values(await sweep({ trial, seeds: 2 }).finish())).toEqual([2, 2]);
  });

  it.each<[object, RegExp]>([
    [{ grd: {} }, /no option "grd".*did you mean "grid"\?/],
    [{ trial: 'not-there.ts' }, /no such trial/],
    [{ seeds: [1, 1] }, /seeds cannot be used/],
    [{ seeds: 1.5 }, /"seeds"/],
    [{ concurrency: 0 }, /"concurrency"/],
    [{ changed: 'maybe' }, /error, new or keep/],
    [{ name: '../x' }, /name cannot be used/],
    [{ engine: 'slurm' }, /experiment\.local\(\) or experiment\.slurm/],
    [{ seeds: 100_001 }, /too large/],
  ])('refuses %j', (wrong, message) => {
    lab.write('trial.ts', 'export default () => ({});\n');
    expect(() => sweep(wrong)).toThrow(message);
    expect(existsSync(lab.path('out'))).toBe(false);
  });
});
